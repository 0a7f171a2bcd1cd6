/*
 * admit.c - may this client in, and where to.
 *
 * Order matters: proof first; then roles; then, for the console, the right to it;
 * for a database, that it exists, is enabled and has room; then the welcome,
 * which needs a server to have been ready once.
 */
#include "session/admit.h"

#include "auth/rejudge.h"
#include "auth/rotation.h"
#include "auth/usercache.h"
#include "base/mem.h"
#include "base/rnd.h"
#include "base/str.h"
#include "net/tls.h"
#include "net/tlspeer.h"
#include "pool/keeper.h"
#include "proto/reply.h"
#include "session/entry.h"
#include "session/entry_impl.h"
#include "session/gate.h"
#include "session/keyring.h"
#include "session/reckon.h"
#include "session/replica.h"
#include "session/seat.h"
#include "session/tarry.h"
#include "session/userfind.h"
#include "session/vars.h"
#include "session/welcome.h"
#include "session/witness.h"
#include "session/worker.h"

#include <stdio.h>
#include <string.h>

/* why: for the log; sentence: for the client */
static void admit_deny(struct client *c, const char *why, const char *sqlstate, const char *sentence)
{
	bool bouncer = c->worker->home.conf->profile == CONF_PROFILE_PGBOUNCER;

	if (log_limit_allows(&c->worker->noise, loop_now(c->conn.loop), 20))
		client_log(c, LOG_WARNING, "login failed: db=%s user=%s: %s", c->login->database, c->login->user, why);
	client_fail_as(c, CLIENT_END_AUTH_FAILED, bouncer ? "08P01" : sqlstate, sentence);
}

static void admit_failed(struct client *c)
{
	struct clientauth *a = c->login->auth;
	const char *detail = clientauth_detail(a);
	const char *sentence = clientauth_error(a);
	char text[256];

	if (strcmp(clientauth_sqlstate(a), "28P01") == 0 && userfind_applies(c) && c->worker->home.conf->profile == CONF_PROFILE_PGBOUNCER) {
		/* two sentences of PgBouncer's in one, so that nobody learns which of them is true */
		sentence = "password authentication failed: no such user or wrong password";
	} else if (strcmp(clientauth_sqlstate(a), "28P01") == 0 && c->worker->home.conf->profile != CONF_PROFILE_PGBOUNCER) {
		snprintf(text, sizeof(text), "password authentication failed for user \"%.200s\"", c->login->user);
		sentence = text;
	}
	tarry_failed(c);
	admit_deny(c, detail != NULL ? detail : clientauth_error(a), clientauth_sqlstate(a), sentence);
}

static void admit_proved(struct client *c);

void admit_verdict(struct client *c, enum clientauth_verdict verdict, struct buf *out)
{
	switch (verdict) {
	case CLIENTAUTH_MORE:
		conn_send(&c->conn, out->data, out->len, NULL);
		seat_turn(c);
		break;
	case CLIENTAUTH_ELSEWHERE:
		witness_ask(c);
		break;
	case CLIENTAUTH_OK:
		conn_send(&c->conn, out->data, out->len, NULL);
		if (!clientauth_learnt(c->login->auth, &c->login->keys))
			c->login->keys.is_set = false;
		admit_proved(c);
		break;
	case CLIENTAUTH_FAILED:
		admit_failed(c);
		break;
	case CLIENTAUTH_DERIVE:
		CHECK(!"only a message can need that");
	}
	buf_wipe(out);
}

/* false: the verdict is another one. */
static bool admit_waits(struct client *c, enum clientauth_verdict verdict, const void *body, size_t n, struct buf *out)
{
	if (verdict != CLIENTAUTH_DERIVE)
		return false;
	buf_wipe(out);
	if (!reckon_ask(c, body, n))
		admit_deny(c, "too many logins wait for their keys to be computed", "53300", "too many logins at a time, try again later");
	return true;
}

/* Which proof, and what is known of the user: rules first, so that nobody is looked up whom they refuse anyway. */
static enum gate_answer admit_way(struct client *c, const struct conf_secret *secret, struct gate *gate)
{
	bool is_asking = secret == NULL && userfind_applies(c) && !userfind_is_over(c);
	enum gate_answer answer = gate_choose(c, secret != NULL || is_asking || userfind_secret(c) != NULL, gate);

	/* PAM and directories know their users themselves */
	if (answer != GATE_PROOF || !is_asking || gate->method == CLIENTAUTH_OUTSIDE)
		return answer;
	answer = userfind_ask(c, gate);
	return answer == GATE_PROOF ? gate_choose(c, userfind_secret(c) != NULL, gate) : answer;
}

/* of auth_file, or looked up; pair is for what is made of the former */
static void admit_credentials(const struct client *c, const struct conf_secret *secret, struct credential pair[2],
			      struct clientauth_ask *ask)
{
	const struct conf *conf = c->worker->home.conf;
	int rc = rotation_read(secret != NULL || conf->secrets == 0 ? secret : &conf->secret[0], pair, NULL);

	if (secret == NULL) {
		ask->credential = userfind_secret(c);
		ask->stand_in = &pair[0];
	} else if (rc == 0) {
		ask->credential = &pair[0];
		ask->second = &pair[1];
	}
}

void admit_again(struct client *c)
{
	const struct conf *conf = c->worker->home.conf;
	struct login *l = c->login;
	const struct conf_secret *secret = conf_find_secret(conf, l->user);
	struct credential pair[2];
	struct clientauth_ask ask = {
		.user = l->user,
		.cache = &c->worker->home.scram_cache,
		.scram_iterations = (uint32_t)conf->set.scram_iterations,
		.looks_twice = conf->has_seconds,
		.mock_scram = userfind_applies(c) ? usercache_most_are_scram(c->worker->home.hub->users_found)
						  : rotation_most_are_scram(conf),
	};
	struct gate gate;
	struct buf out;

	gate.method = CLIENTAUTH_PROVEN;
	if (!addr_is_own_uid(&c->peer) || !conf_is_console(l->database) || !conf_is_console(l->user)) {
		switch (admit_way(c, secret, &gate)) {
		case GATE_PROOF:
			break;
		case GATE_REFUSED:
			admit_deny(c, gate.why, gate.sqlstate, gate.sentence);
			return;
		case GATE_WAITS:
			return;
		}
	}
	ask.method = gate.method;
	ask.binding.len = tlspeer_binding(&c->conn, ask.binding.data);
	admit_credentials(c, secret, pair, &ask);
	l->auth = clientauth_new(&ask);
	rotation_fini(pair);
	buf_init(&out, 0);
	if (l->auth == NULL)
		client_fail(c, CLIENT_END_NO_MEMORY, NULL);
	else
		admit_verdict(c, clientauth_start(l->auth, &out), &out);
}

void admit_begin(struct client *c)
{
	vars_complete(c);
	if (!tarry_begin(c))
		admit_again(c);
}

void admit_proof(struct client *c, const void *body, size_t n)
{
	enum clientauth_verdict verdict;
	struct buf out;

	seat_busy(c);
	buf_init(&out, 0);
	verdict = clientauth_input(c->login->auth, body, n, &out);
	if (admit_waits(c, verdict, body, n, &out))
		return;
	/* it may be the new password of one whose old secret we remember */
	if (verdict == CLIENTAUTH_FAILED && userfind_recheck(c, body, n))
		buf_wipe(&out);
	else
		admit_verdict(c, verdict, &out);
}

void admit_once_more(struct client *c, const void *body, size_t n)
{
	struct clientauth *a = c->login->auth;
	enum clientauth_verdict verdict;
	struct buf out;

	if (!rejudge_by(a, userfind_secret(c))) {
		admit_failed(c);
		return;
	}
	buf_init(&out, 0);
	verdict = clientauth_input(a, body, n, &out);
	if (!admit_waits(c, verdict, body, n, &out))
		admit_verdict(c, verdict, &out);
}

void admit_refuse(struct client *c, bool malformed)
{
	if (malformed) {
		client_fail(c, CLIENT_END_PROTOCOL, "invalid message length");
		return;
	}
	(void)clientauth_refuse(c->login->auth);
	admit_failed(c);
}

static unsigned admit_roles(const struct client *c)
{
	const struct conf_settings *set = &c->worker->home.conf->set;
	unsigned roles = 0;

	if (addr_is_own_uid(&c->peer) && conf_is_console(c->login->user))
		roles |= IDENTITY_ADMIN | IDENTITY_STATS;
	/* "any" proves nothing, not even a name */
	if (set->auth_type == CONF_AUTH_ANY)
		return roles;
	if (str_list_has(set->admin_users, c->login->user))
		roles |= IDENTITY_ADMIN | IDENTITY_STATS;
	if (str_list_has(set->stats_users, c->login->user))
		roles |= IDENTITY_STATS;
	return roles;
}

static void admit_log(const struct client *c)
{
	char tls[TLS_TEXT_MAX];

	if (!c->worker->home.conf->set.log_connections)
		return;
	tls_describe(&c->conn, tls, sizeof(tls));
	client_log(c, LOG_LOG, "login attempt: db=%s user=%s tls=%s", identity_database(c->identity),
		   identity_user(c->identity), tls[0] != '\0' ? tls : "no");
}

static bool admit_count(struct client *c, const struct conf_limits *limits)
{
	bool is_exempt = limits == NULL || identity_has(c->identity, IDENTITY_ADMIN);
	enum hub_answer answer =
		hub_take_login(c->worker->home.hub, identity_database(c->identity), identity_user(c->identity),
			       is_exempt ? 0 : (unsigned)limits->max_db_client_connections,
			       is_exempt ? 0 : (unsigned)limits->max_user_client_connections);

	c->is_counted = answer == HUB_OK;
	if (!c->is_counted)
		client_fail(c, CLIENT_END_TOO_MANY, "client connections exceeded (%s)", hub_limit_name(answer));
	return c->is_counted;
}

static void admit_console(struct client *c)
{
	struct buf out;

	if (c->replication != 0) {
		client_fail(c, CLIENT_END_NOT_ALLOWED, "the console has no replication");
		return;
	}
	if (!identity_has(c->identity, IDENTITY_STATS)) {
		client_fail(c, CLIENT_END_NOT_ALLOWED, "user \"%s\" is not allowed on the console: see admin_users and stats_users",
			    identity_user(c->identity));
		return;
	}
	if (!admit_count(c, NULL))
		return;
	admit_log(c);
	keyring_enter(c, 0);
	buf_init(&out, 0);
	(void)reply_auth_ok(&out);
	c->worker->console->greet(c->worker, &out);
	keyring_greet(c, &out);
	(void)reply_ready(&out, TRANSACTION_IDLE);
	conn_send(&c->conn, out.data, out.len, NULL);
	buf_fini(&out);
	/* the login's buffer collects the commands from here on */
	clientauth_free(c->login->auth);
	c->login->auth = NULL;
	client_enter(c, CLIENT_CONSOLE);
}

/* limits of this client; the pool's are those of the server's user */
static int admit_limits(struct client *c, const struct conf_database *db, const struct conf_limits *limits)
{
	if (c->replication == 0 && (db->force_user == NULL || strcmp(db->force_user, identity_user(c->identity)) == 0)) {
		c->limits = &c->pool->limits;
		return 0;
	}
	c->limits = mem_try_alloc(sizeof(*limits));
	if (c->limits == NULL)
		return -1;
	*c->limits = *limits;
	c->owns_limits = true;
	if (c->replication != 0)
		replica_limits(c->limits);
	return 0;
}

static void admit_database(struct client *c)
{
	const struct conf *conf = c->worker->home.conf;
	const char *name = identity_database(c->identity), *user = identity_user(c->identity);
	const struct conf_database *db = conf_find_database(conf, name);
	struct conf_limits limits;

	if (db == NULL) {
		client_fail(c, CLIENT_END_NO_DATABASE, "no such database: %s", name);
		return;
	}
	if (conf->set.auth_type == CONF_AUTH_ANY && db->force_user == NULL) {
		client_fail(c, CLIENT_END_NOT_ALLOWED, "auth_type any needs user= in the line of database %s", name);
		return;
	}
	conf_resolve(conf, db, user, &limits);
	if (!admit_count(c, &limits))
		return;
	c->pool = pool_get(&c->worker->home, name, db->force_user != NULL ? db->force_user : user);
	if (c->pool == NULL) {
		client_fail(c, CLIENT_END_NO_MEMORY, NULL);
		return;
	}
	c->pool->clients++;
	c->pool_mode = (uint8_t)c->pool->limits.pool_mode;
	if (atomic_load(&c->pool->share->is_disabled)) {
		client_fail(c, CLIENT_END_DISABLED, "database \"%s\" is disabled", name);
		return;
	}
	if (admit_limits(c, db, &limits) < 0) {
		client_fail(c, CLIENT_END_NO_MEMORY, NULL);
		return;
	}
	admit_log(c);
	if (userfind_secret(c) != NULL && db->force_user == NULL)
		keeper_learn_secret(c->pool, userfind_secret(c));
	if (c->login->keys.is_set && db->force_user == NULL)
		keeper_learn_keys(c->pool, &c->login->keys);
	if (db->force_user == NULL)
		witness_teach(c);
	if (c->replication != 0)
		replica_begin(c);
	else
		welcome_begin(c);
}

static void admit_proved(struct client *c)
{
	struct login *l = c->login;

	c->identity = identity_new(l->user, l->database, admit_roles(c));
	if (c->identity == NULL)
		client_fail(c, CLIENT_END_NO_MEMORY, NULL);
	else if (conf_is_console(l->database))
		admit_console(c);
	else if (c->worker->is_closing)
		client_fail(c, CLIENT_END_SHUTDOWN, "pooler is shutting down");
	else
		admit_database(c);
}
