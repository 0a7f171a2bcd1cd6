/*
 * userfind.c - who a client's user is, when auth_file does not say.
 */
#include "session/userfind.h"

#include "auth/rejudge.h"
#include "auth/usercache.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "session/admit.h"
#include "session/entry_impl.h"
#include "session/userask.h"
#include "session/worker.h"

#include <stdio.h>
#include <string.h>

#define USERFIND_RECHECK_US (1 * CLOCK_US_PER_SEC)

/* A login that waits for an answer, or one that has gone meanwhile. */
struct userwait {
	struct usercache_waiter waiter;
	struct mail mail;
	struct loop *loop;
	struct client *client; /* its worker's; NULL: it has gone */
	enum useranswer_kind kind;
	struct useranswer *answer;
	uint64_t asked_at;
	struct usercache_failure failure;
};

/* What a login knows of its user. */
struct userfind {
	struct userwait *wait;
	struct useranswer *secret, *roles;
	uint64_t asked_at; /* of the secret */
	bool has_failed, has_no_roles;
	bool is_rechecking, is_rechecked;
	struct usercache_failure failure;
	struct buf message; /* that is judged once more */
};

/* database NULL: the console, or what does not exist */
static bool userfind_where(const struct client *c, struct conf_lookup *out)
{
	const struct conf *conf = c->worker->home.conf;
	const char *database = c->login->database;
	bool is_console = conf_is_console(database);

	if (conf->set.auth_type == CONF_AUTH_ANY || !conf_find_lookup(conf, is_console ? NULL : database, out))
		return false;
	/* PgBouncer takes the console's own database for the one to ask, and fails */
	if (out->database == NULL && is_console && conf->profile == CONF_PROFILE_PGBOUNCER)
		out->database = "pgbouncer";
	return out->database != NULL;
}

bool userfind_applies(const struct client *c)
{
	struct conf_lookup where;

	return userfind_where(c, &where);
}

bool userfind_is_over(const struct client *c)
{
	const struct userfind *f = c->login->find;

	return f != NULL && f->secret != NULL;
}

const struct credential *userfind_secret(const struct client *c)
{
	const struct userfind *f = c->login->find;

	return f != NULL && f->secret != NULL && f->secret->is_found ? &f->secret->credential : NULL;
}

static void userfind_take(struct userfind *f, struct userwait *q)
{
	if (q->kind == USERANSWER_ROLES) {
		f->roles = q->answer;
		f->has_no_roles = q->answer == NULL;
	} else if (q->answer != NULL) {
		useranswer_unref(f->secret);
		f->secret = q->answer;
		f->asked_at = q->asked_at;
	} else {
		f->has_failed = true;
		f->failure = q->failure;
	}
	q->answer = NULL;
}

/* the mail has come home: on the client's worker */
static void userfind_deliver(struct loop *loop FX_UNUSED, struct mail *mail)
{
	struct userwait *q = container_of(mail, struct userwait, mail);
	struct client *c = q->client;
	struct userfind *f;
	struct buf message;

	if (c == NULL) {
		useranswer_unref(q->answer);
		mem_free(q);
		return;
	}
	f = c->login->find;
	f->wait = NULL;
	c->login->is_waiting = false;
	userfind_take(f, q);
	mem_free(q);
	if (c->state != CLIENT_AUTH)
		return;
	conn_resume(&c->conn);
	if (!f->is_rechecking) {
		admit_again(c);
		return;
	}
	f->is_rechecking = false;
	message = f->message;
	buf_init(&f->message, 0);
	admit_once_more(c, message.data, message.len);
	buf_wipe(&message);
}

/* on the asker's thread */
static void userfind_on_answer(struct usercache_waiter *w, struct useranswer *answer, uint64_t asked_at,
			       const struct usercache_failure *why)
{
	struct userwait *q = container_of(w, struct userwait, waiter);

	q->answer = answer;
	q->asked_at = asked_at;
	if (answer == NULL)
		q->failure = *why;
	loop_post(q->loop, &q->mail, userfind_deliver);
}

static void userfind_key(struct buf *key, const struct conf_lookup *where, enum useranswer_kind kind, const char *user)
{
	buf_init(key, 0);
	(void)buf_append_cstr(key, where->database);
	(void)buf_append_cstr(key, where->user);
	(void)buf_append_cstr(key, kind == USERANSWER_ROLES ? "" : where->query);
	(void)buf_append_str(key, user);
	(void)buf_append_u8(key, (uint8_t)kind);
}

/* true: known, in q's answer; false: it comes by mail, and q is the mail's */
static bool userfind_look(struct client *c, const struct conf_lookup *where, struct userwait *q, uint64_t not_before)
{
	struct worker *w = c->worker;
	struct usercache_ticket *ticket = NULL;
	enum usercache_say say;
	struct buf key;

	q->waiter.wake = userfind_on_answer;
	q->loop = &w->loop;
	dlist_init(&q->waiter.link);
	userfind_key(&key, where, q->kind, c->login->user);
	CHECK(!key.bad);
	say = usercache_ask(w->home.hub->users_found,
			    &(struct usercache_query){key.data, key.len, not_before, loop_now(&w->loop)}, &q->waiter,
			    &q->answer, &q->asked_at, &ticket);
	buf_fini(&key);
	if (say == USERCACHE_ASK)
		userask_start(w, where, q->kind, c->login->user, ticket);
	return say == USERCACHE_KNOWN;
}

static struct userfind *userfind_get(struct client *c)
{
	struct login *l = c->login;

	if (l->find == NULL) {
		l->find = mem_zalloc(sizeof(*l->find));
		buf_init(&l->find->message, 0);
	}
	return l->find;
}

static struct userwait *userfind_wait_new(enum useranswer_kind kind)
{
	struct userwait *q = mem_zalloc(sizeof(*q));

	q->kind = kind;
	return q;
}

static void userfind_pause(struct client *c, struct userwait *q)
{
	q->client = c;
	c->login->find->wait = q;
	c->login->is_waiting = true;
	conn_pause(&c->conn, ENTRY_KEEP);
}

static enum gate_answer userfind_first(struct client *c, const struct conf_lookup *where, enum useranswer_kind kind)
{
	struct userfind *f = userfind_get(c);
	struct userwait *q = userfind_wait_new(kind);
	uint64_t ttl = c->worker->home.conf->set.auth_query_ttl, now = loop_now(&c->worker->loop);

	if (!userfind_look(c, where, q, now > ttl ? now - ttl : 0)) {
		userfind_pause(c, q);
		return GATE_WAITS;
	}
	userfind_take(f, q);
	mem_free(q);
	return GATE_PROOF;
}

static FX_PRINTF(3, 4) enum gate_answer userfind_refuse(struct gate *out, const char *sqlstate, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (vsnprintf(out->why, sizeof(out->why), fmt, ap) < 0)
		out->why[0] = '\0';
	va_end(ap);
	out->method = CLIENTAUTH_REJECT;
	out->sqlstate = sqlstate;
	return GATE_REFUSED;
}

static enum gate_answer userfind_failed(const struct client *c, const struct usercache_failure *why, struct gate *out)
{
	bool bouncer = c->worker->home.conf->profile == CONF_PROFILE_PGBOUNCER;
	const char *sentence = "bouncer config error";

	if (bouncer && why->is_server)
		sentence = why->message;
	else if (!bouncer)
		sentence = why->is_server ? "authentication is not possible now: no answer from the database that knows the users"
					  : "authentication is not possible: the user could not be looked up";
	(void)str_copy(out->sentence, sizeof(out->sentence), sentence);
	return userfind_refuse(out, why->is_server ? "08006" : "58000", "%s", why->message);
}

/* what PgBouncer finds out before it asks; false: nothing is wrong */
static bool userfind_is_misplaced(const struct client *c, const struct conf_lookup *where, struct gate *out)
{
	struct usercache_failure why = {.is_server = false};

	if (conf_is_console(where->database)) {
		snprintf(why.message, sizeof(why.message), "cannot use the reserved \"%.64s\" database as an auth_dbname",
			 where->database);
	} else if (conf_find_database(c->worker->home.conf, where->database) == NULL) {
		snprintf(why.message, sizeof(why.message), "authentication database \"%.128s\" is not configured",
			 where->database);
	} else if (hub_is_disabled(c->worker->home.hub, where->database)) {
		snprintf(out->sentence, sizeof(out->sentence), "authentication database \"%.128s\" is disabled",
			 where->database);
		(void)userfind_refuse(out, "57P03", "%s", out->sentence);
		return true;
	} else {
		return false;
	}
	(void)userfind_failed(c, &why, out);
	return true;
}

enum gate_answer userfind_ask(struct client *c, struct gate *out)
{
	struct userfind *f = userfind_get(c);
	struct conf_lookup where;

	if (f->secret != NULL)
		return GATE_PROOF;
	if (f->has_failed)
		return userfind_failed(c, &f->failure, out);
	/* the settings may have changed while another answer was waited for */
	if (!userfind_where(c, &where)) {
		f->secret = useranswer_none();
		return GATE_PROOF;
	}
	if (userfind_is_misplaced(c, &where, out))
		return GATE_REFUSED;
	return userfind_first(c, &where, USERANSWER_SECRET);
}

enum gate_answer userfind_ask_roles(struct client *c)
{
	struct userfind *f = userfind_get(c);
	struct conf_lookup where;
	struct gate unused;

	if (f->roles != NULL || f->has_no_roles)
		return GATE_PROOF;
	if (!userfind_where(c, &where) || userfind_is_misplaced(c, &where, &unused)) {
		f->has_no_roles = true;
		return GATE_PROOF;
	}
	return userfind_first(c, &where, USERANSWER_ROLES);
}

enum identmatch_answer userfind_is_member(void *arg, const char *role)
{
	const struct client *c = arg;
	const struct userfind *f = c->login->find;

	if (f == NULL || f->roles == NULL)
		return IDENTMATCH_UNKNOWN;
	return useranswer_has_role(f->roles, role) ? IDENTMATCH_YES : IDENTMATCH_NO;
}

bool userfind_recheck(struct client *c, const void *body, size_t n)
{
	struct userfind *f = c->login->find;
	bool may_again = rejudge_may(c->login->auth);
	struct conf_lookup where;
	struct userwait *q;

	if (f == NULL || f->secret == NULL || f->is_rechecked || strcmp(clientauth_sqlstate(c->login->auth), "28P01") != 0 ||
	    loop_now(&c->worker->loop) < f->asked_at + USERFIND_RECHECK_US || !userfind_where(c, &where))
		return false;
	f->is_rechecked = true;
	usercache_note_recheck(c->worker->home.hub->users_found);
	q = userfind_wait_new(USERANSWER_SECRET);
	if (userfind_look(c, &where, q, f->asked_at + 1)) {
		userfind_take(f, q);
		mem_free(q);
		if (may_again)
			admit_once_more(c, body, n);
		return may_again;
	}
	/* a proof of SCRAM is bound to the salt it was asked with: only the next login can use what comes */
	if (!may_again)
		return false;
	f->is_rechecking = true;
	(void)buf_append(&f->message, body, n);
	userfind_pause(c, q);
	return true;
}

void userfind_fini(struct login *l)
{
	struct userfind *f = l->find;

	if (f == NULL)
		return;
	l->find = NULL;
	if (f->wait != NULL)
		f->wait->client = NULL;
	useranswer_unref(f->secret);
	useranswer_unref(f->roles);
	buf_wipe(&f->message);
	mem_free(f);
}
