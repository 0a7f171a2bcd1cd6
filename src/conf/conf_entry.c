/*
 * conf_entry.c - a line of [databases], [users] or [peers] into its struct.
 */
#include "conf/conf_entry.h"

#include "base/mem.h"
#include "base/str.h"
#include "conf/connstr.h"
#include "conf/option_value.h"
#include "conf/value.h"

#include <inttypes.h>
#include <string.h>

#define CONF_ENTRY_PEER_MAX 16383

/* One key=value; section and name are for the report. */
static void conf_entry_pair(enum option_table table, void *base, const struct connstr *cs,
	const struct item *it, struct conf_report *report)
{
	const char *section = table == OPTION_DATABASE ? "databases" : "users";
	const struct option *o = option_find(table, cs->key);
	char error[OPTION_VALUE_ERROR_MAX];
	const char *near;

	if (o == NULL) {
		near = option_nearest(table, cs->key);
		conf_report_error(report, it->file, it->line, "unknown key \"%s\" in [%s] entry \"%s\"%s%s%s",
			cs->key, section, it->key, near ? "; did you mean \"" : "", near ? near : "",
			near ? "\"?" : "");
		return;
	}
	if (option_value_set(o, base, cs->value, error) < 0) {
		conf_report_error(
			report, it->file, it->line, "[%s] entry \"%s\": %s", section, it->key, error);
		return;
	}
	if (!o->is_effective)
		conf_report_warning(report, it->file, it->line,
			"[%s] entry \"%s\": %s is accepted, but not in effect yet", section, it->key,
			o->name);
}

static void conf_entry_pairs(struct conf *c, enum option_table table, void *base, const struct item *it,
	struct conf_report *report)
{
	struct connstr cs;
	int rc;

	/* the copy has the room that connstr asks for, and lives as long as the entry */
	connstr_init(&cs, it->value, strpool_addz(&c->state->pool, it->value));
	while ((rc = connstr_next(&cs)) > 0)
		conf_entry_pair(table, base, &cs, it, report);
	if (rc < 0)
		conf_report_error(report, it->file, it->line, "[%s] entry \"%s\": %s",
			table == OPTION_DATABASE ? "databases" : "users", it->key, cs.error);
}

static void conf_entry_unset(enum option_table table, void *base)
{
	const struct option *o;

	for (size_t i = 0; (o = option_at(table, i)) != NULL; i++)
		option_value_unset(o, base);
}

/* Index of the name in an array, which grows by one when it is new. */
static size_t conf_entry_index(
	struct hash_map *map, const char *name, size_t *count, size_t *cap, void **array, size_t size)
{
	uintptr_t at = (uintptr_t)hash_map_find(map, name);

	if (at != 0)
		return at - 1;
	if (*count == *cap) {
		*cap = *cap ? *cap * 2 : 16;
		*array = mem_realloc(*array, *cap * size);
	}
	memset((char *)*array + *count * size, 0, size);
	(void)hash_map_put(map, name, strlen(name), (void *)(uintptr_t)(*count + 1));
	return (*count)++;
}

void conf_entry_add_database(struct conf *c, const struct item *it, struct conf_report *report)
{
	struct conf_state *st = c->state;
	void *array = st->database;
	struct conf_database *db;
	size_t i;

	if (strcmp(it->key, "pgbouncer") == 0 || strcmp(it->key, "fynixpool") == 0) {
		conf_report_error(report, it->file, it->line,
			"database name \"%s\" is reserved for the console", it->key);
		return;
	}
	i = conf_entry_index(
		&st->by_database, it->key, &c->databases, &st->databases_cap, &array, sizeof(*db));
	st->database = array;
	db = &st->database[i];
	conf_entry_unset(OPTION_DATABASE, db);
	db->name = it->key;
	db->is_auto = strcmp(it->key, "*") == 0;
	db->file = it->file;
	db->line = it->line;
	conf_entry_pairs(c, OPTION_DATABASE, db, it, report);
	if (db->dbname == NULL)
		db->dbname = db->is_auto ? "" : db->name;
	if (db->host == NULL)
		db->host = "";
	if (db->port == CONF_UNSET)
		db->port = 5432;
	if (db->force_user != NULL && db->force_user[0] == '\0')
		db->force_user = NULL;
	if (db->password.data != NULL && db->force_user == NULL)
		conf_report_warning(report, it->file, it->line,
			"[databases] entry \"%s\": password has no effect without user", it->key);
}

void conf_entry_add_user(struct conf *c, const struct item *it, struct conf_report *report)
{
	struct conf_state *st = c->state;
	void *array = st->user;
	struct conf_user *u;
	size_t i;

	i = conf_entry_index(&st->by_user, it->key, &c->users, &st->users_cap, &array, sizeof(*u));
	st->user = array;
	u = &st->user[i];
	conf_entry_unset(OPTION_USER, u);
	u->name = it->key;
	u->file = it->file;
	u->line = it->line;
	conf_entry_pairs(c, OPTION_USER, u, it, report);
}

static int conf_entry_peer_pair(struct conf_peer *p, const struct connstr *cs)
{
	if (strcmp(cs->key, "host") == 0) {
		p->host = cs->value;
		return 0;
	}
	if (strcmp(cs->key, "port") == 0)
		return value_int(cs->value, &p->port) == 0 && p->port >= 1 && p->port <= 65535 ? 0 : -1;
	if (strcmp(cs->key, "pool_size") == 0)
		return value_int(cs->value, &p->pool_size) == 0 && p->pool_size >= 0 &&
				       p->pool_size <= CONF_COUNT_MAX
			       ? 0
			       : -1;
	return -1;
}

static struct conf_peer *conf_entry_peer(struct conf *c, int64_t id)
{
	struct conf_state *st = c->state;

	for (size_t i = 0; i < c->peers; i++) {
		if (st->peer[i].id == id)
			return &st->peer[i];
	}
	if (c->peers == st->peers_cap) {
		st->peers_cap = st->peers_cap ? st->peers_cap * 2 : 8;
		st->peer = mem_realloc(st->peer, st->peers_cap * sizeof(*st->peer));
	}
	return &st->peer[c->peers++];
}

void conf_entry_add_peer(struct conf *c, const struct item *it, struct conf_report *report)
{
	struct conf_peer p = {.port = 6432, .pool_size = CONF_UNSET};
	struct connstr cs;
	int rc;

	if (value_int(it->key, &p.id) < 0 || p.id < 1 || p.id > CONF_ENTRY_PEER_MAX) {
		conf_report_error(report, it->file, it->line, "peer id \"%s\" is not a number from 1 to %d",
			it->key, CONF_ENTRY_PEER_MAX);
		return;
	}
	connstr_init(&cs, it->value, strpool_addz(&c->state->pool, it->value));
	while ((rc = connstr_next(&cs)) > 0) {
		if (conf_entry_peer_pair(&p, &cs) < 0)
			conf_report_error(report, it->file, it->line,
				"[peers] entry %" PRId64 ": %s is not known or has a bad value; known are "
				"host, port, pool_size",
				p.id, cs.key);
	}
	if (rc < 0)
		conf_report_error(
			report, it->file, it->line, "[peers] entry %" PRId64 ": %s", p.id, cs.error);
	if (p.host == NULL)
		conf_report_error(report, it->file, it->line, "[peers] entry %" PRId64 " has no host", p.id);
	*conf_entry_peer(c, p.id) = p;
}
