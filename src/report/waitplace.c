/*
 * waitplace.c - the question of one place, and its answer.
 */
#include "report/waitplace.h"

#include "auth/credential.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "conf/value.h"
#include "pool/tlsset.h"
#include "report/waitnames.h"

#include <string.h>

#define WAITPLACE_DEADLINE_US (UINT64_C(3) * 1000000)
#define WAITPLACE_FRESH_US    (UINT64_C(3) * 1000000)	/* older answers are not shown */
#define WAITPLACE_RETRY_US    (UINT64_C(10) * 1000000)	/* after a failure */
#define WAITPLACE_SAY_US      (UINT64_C(600) * 1000000) /* the same complaint again */

/* search_path is pinned in the statement as well; a question that hangs in the server must end there */
static const char waitplace_options[] = "-c search_path=pg_catalog -c statement_timeout=2000 -c lock_timeout=1000 "
				    "-c default_transaction_read_only=on";

struct waitplace *waitplace_new(struct loop *control, struct worker **workers, unsigned n, const char *database,
				const struct machine *machine)
{
	struct waitplace *place = mem_zalloc(sizeof(*place));

	place->control = control;
	place->workers = workers;
	place->n = n;
	place->database = mem_strdup(database);
	place->machine = *machine;
	dlist_init(&place->link);
	return place;
}

void waitplace_free(struct waitplace *place)
{
	lookup_forget(&place->ask);
	dlist_remove(&place->link);
	target_unref(place->target);
	mem_free(place->database);
	mem_free(place->next);
	mem_free(place->row);
	mem_free(place);
}

bool waitplace_is_busy(const struct waitplace *place)
{
	return lookup_is_waiting(&place->ask) || place->is_naming;
}

void waitplace_clear(struct waitplace *place)
{
	place->nexts = 0;
	target_unref(place->target);
	place->target = NULL;
}

void waitplace_add(struct waitplace *place, const struct longlist_item *item)
{
	struct waitplace_row *row;

	if (place->nexts == place->nexts_cap) {
		place->nexts_cap = place->nexts_cap > 0 ? place->nexts_cap * 2 : 8;
		place->next = mem_realloc(place->next, place->nexts_cap * sizeof(*place->next));
	}
	if (place->target == NULL) {
		place->target = target_ref(item->target);
		place->host = item->host;
	}
	row = &place->next[place->nexts++];
	*row = (struct waitplace_row){.pid = item->pid, .since = item->since, .is_long = item->is_long};
	(void)str_copy(row->who, sizeof(row->who), item->who);
}

static struct waitplace_row *waitplace_row_of(struct waitplace_row *row, size_t rows, uint32_t pid)
{
	for (size_t i = 0; i < rows; i++)
		if (row[i].pid == pid)
			return &row[i];
	return NULL;
}

const struct waitplace_row *waitplace_find(const struct waitplace *place, uint32_t pid, uint64_t since)
{
	const struct waitplace_row *row;

	if (place->rows == 0 || loop_now(place->control) - place->answered_at > WAITPLACE_FRESH_US)
		return NULL;
	row = waitplace_row_of(place->row, place->rows, pid);
	if (row == NULL || row->since != since || !row->is_answered || row->row.is_hidden)
		return NULL;
	return row;
}

static void waitplace_say(struct waitplace *place, const char *what)
{
	uint64_t now = loop_now(place->control);

	if (strcmp(place->said, what) == 0 && now - place->said_at < WAITPLACE_SAY_US)
		return;
	(void)str_copy(place->said, sizeof(place->said), what);
	place->said_at = now;
	log_write(LOG_WARNING, NULL, "monitor login for database \"%.64s\" at %s port %u: %s", place->database,
		  place->machine.where, place->machine.port, what);
}

static void waitplace_forget_rows(struct waitplace *place)
{
	mem_free(place->row);
	place->row = NULL;
	place->rows = 0;
}

/* who waits for a lock beyond its time is named once */
static void waitplace_log(struct waitplace *place)
{
	for (size_t i = 0; i < place->rows; i++) {
		struct waitplace_row *row = &place->row[i];

		if (!row->is_long || !row->row.is_locked || row->is_told || row->blocked_by[0] == '\0')
			continue;
		row->is_told = true;
		log_write(LOG_WARNING, row->who, "long query waits for a lock (%s): server pid=%u is blocked by %s",
			  row->row.event, row->pid, row->blocked_by);
	}
}

static void waitplace_named(void *arg, struct waitnames *names)
{
	struct waitplace *place = arg;
	struct buf text;

	place->is_naming = false;
	for (size_t i = 0; i < place->rows; i++) {
		struct waitplace_row *row = &place->row[i];

		buf_init(&text, 0);
		waitrow_blocked_by(&row->row, waitnames_get, names, &text);
		(void)str_copy(row->blocked_by, sizeof(row->blocked_by), buf_text(&text));
		buf_fini(&text);
	}
	waitnames_free(names);
	waitplace_log(place);
}

static void waitplace_name(struct waitplace *place)
{
	struct waitnames *names = waitnames_new(&place->machine, waitplace_named, place);

	for (size_t i = 0; i < place->rows; i++)
		for (unsigned k = 0; k < place->row[i].row.blockers; k++)
			waitnames_add(names, place->row[i].row.blocker[k]);
	place->is_naming = true;
	/* with nobody to name the workers are not bothered */
	waitnames_start(names, place->control, place->workers, names->n > 0 ? place->n : 0);
}

/* true: some are hidden from the login */
static bool waitplace_read(struct waitplace *place, const struct pqlink_rows *rows)
{
	bool is_hidden = false;

	for (unsigned i = 0; i < rows->rows; i++) {
		struct waitrow answer;
		struct waitplace_row *row = NULL;

		if (waitrow_parse(&answer, &rows->cell[(size_t)i * rows->columns]) == 0)
			row = waitplace_row_of(place->next, place->nexts, answer.pid);
		if (row == NULL)
			continue;
		row->row = answer;
		row->is_answered = true;
		is_hidden = is_hidden || answer.is_hidden;
	}
	/* what was said of them stays said */
	for (size_t i = 0; i < place->nexts; i++) {
		const struct waitplace_row *old = waitplace_row_of(place->row, place->rows, place->next[i].pid);

		if (old == NULL || old->since != place->next[i].since)
			continue;
		place->next[i].is_told = old->is_told;
		/* until the new names are known */
		(void)str_copy(place->next[i].blocked_by, sizeof(place->next[i].blocked_by), old->blocked_by);
	}
	return is_hidden;
}

static void waitplace_on_answer(struct lookup_ask *ask, const struct pqlink_rows *rows, const char *error)
{
	struct waitplace *place = container_of(ask, struct waitplace, ask);
	uint64_t now = loop_now(place->control);
	bool is_hidden;

	if (rows != NULL && rows->columns != WAITROW_COLUMNS)
		error = "an answer that is not PostgreSQL's";
	if (error != NULL) {
		waitplace_forget_rows(place);
		place->retry_at = now + WAITPLACE_RETRY_US;
		waitplace_say(place, error);
		return;
	}
	is_hidden = waitplace_read(place, rows);
	mem_free(place->row);
	place->row = place->next;
	place->rows = place->nexts;
	place->next = NULL;
	place->nexts = place->nexts_cap = 0;
	place->answered_at = now;
	if (is_hidden) {
		waitplace_say(place, "the role may not see the sessions of others: GRANT pg_monitor to it");
	} else if (place->said[0] != '\0') {
		place->said[0] = '\0';
		log_write(LOG_LOG, NULL, "monitor login for database \"%.64s\" works again", place->database);
	}
	waitplace_name(place);
}

static const char *waitplace_pick(const char *own, const char *global)
{
	return own != NULL ? own : global;
}

/* As the connections of the pool. */
static void waitplace_tls(const struct conf *conf, const char *database, struct pqlink_where *where)
{
	static const struct conf_database none = {.server_tls_sslmode = CONF_UNSET, .server_tls_negotiation = CONF_UNSET};
	const struct conf_database *db = conf_find_database(conf, database);
	const struct conf_settings *set = &conf->set;
	int mode;

	if (db == NULL)
		db = &none;
	mode = tlsset_mode(conf, db);
	where->sslmode = value_word_name(VALUE_WORDS_TLS, mode);
	where->sslcert = waitplace_pick(db->server_tls_cert_file, set->server_tls_cert_file);
	where->sslkey = waitplace_pick(db->server_tls_key_file, set->server_tls_key_file);
	/* a file of authorities makes libpq check also where only require was said */
	if (mode < CONF_TLS_VERIFY_CA)
		return;
	where->sslrootcert = waitplace_pick(db->server_tls_ca_file, set->server_tls_ca_file);
	where->sslcrl = waitplace_pick(db->server_tls_crl_file, set->server_tls_crl_file);
}

/* The role and its password for a database; false: none is wanted there. */
static bool waitplace_login(const struct conf *conf, const char *database, const char **user, const struct secret **password)
{
	const struct conf_database *db = conf_find_database(conf, database);
	const struct conf_secret *known;
	struct credential c;

	*password = &conf->set.monitor_password;
	*user = conf->set.monitor_user;
	if (db != NULL && db->monitor_user != NULL) {
		*user = db->monitor_user;
		*password = &db->monitor_password;
	}
	if ((*user)[0] == '\0')
		return false;
	if ((*password)->data != NULL)
		return true;
	*password = NULL;
	known = conf_find_secret(conf, *user);
	if (known == NULL || !known->has_secret)
		return true;
	if (credential_parse(&c, known->secret.data, known->secret.len, NULL) == 0 && c.kind == CREDENTIAL_PLAIN)
		*password = &known->secret;
	credential_fini(&c);
	return true;
}

void waitplace_ask(struct waitplace *place, struct lookup *lookup, const struct conf *conf)
{
	struct lookup_question question = {.sql = waitrow_sql, .params = 1, .deadline = WAITPLACE_DEADLINE_US};
	struct pqlink_where *where = &question.where;
	char folder[sizeof(place->machine.where)];
	struct buf pids;
	uint32_t *pid;

	if (place->nexts == 0 || loop_now(place->control) < place->retry_at ||
	    !waitplace_login(conf, place->database, &where->user, &question.password))
		return;
	where->host = place->host->name;
	where->hostaddr = place->machine.where;
	if (place->machine.is_unix) {
		if (!machine_folder(&place->machine, folder, sizeof(folder)))
			return;
		where->host = folder;
		where->hostaddr = NULL;
	}
	where->port = place->machine.port;
	where->dbname = place->target->dbname;
	where->application_name = "fynixpool monitor";
	waitplace_tls(conf, place->database, where);
	where->options = waitplace_options;
	pid = mem_alloc(place->nexts * sizeof(*pid));
	for (size_t i = 0; i < place->nexts; i++)
		pid[i] = place->next[i].pid;
	buf_init(&pids, 0);
	waitrow_pids(&pids, pid, place->nexts);
	mem_free(pid);
	question.param[0] = buf_text(&pids);
	place->ask.on_answer = waitplace_on_answer;
	lookup_ask(lookup, place->control, &question, &place->ask);
	buf_fini(&pids);
}
