/*
 * admit.c - may this client in, and where to.
 *
 * Order matters: proof first; then roles; then, for the console, the right to it;
 * for a database, that it exists, is enabled and has room; then the welcome,
 * which needs a server to have been ready once.
 */
#include "session/admit.h"

#include "auth/rotation.h"
#include "base/mem.h"
#include "base/rnd.h"
#include "base/str.h"
#include "net/tls.h"
#include "net/tlspeer.h"
#include "pool/keeper.h"
#include "proto/reply.h"
#include "session/canon.h"
#include "session/entry.h"
#include "session/entry_impl.h"
#include "session/gate.h"
#include "session/keyring.h"
#include "session/request.h"
#include "session/replica.h"
#include "session/rider.h"
#include "session/tarry.h"
#include "session/vars.h"
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

	if (c->worker->home.conf->profile != CONF_PROFILE_PGBOUNCER && strcmp(clientauth_sqlstate(a), "28P01") == 0) {
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
	}
	buf_wipe(out);
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
		.mock_scram = rotation_most_are_scram(conf),
	};
	struct gate gate;
	struct buf out;

	gate.method = CLIENTAUTH_PROVEN;
	if (!l->is_own_uid || !conf_is_console(l->database) || !conf_is_console(l->user)) {
		switch (gate_choose(c, secret != NULL, &gate)) {
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
	if (rotation_read(secret, pair, NULL) == 0 && secret != NULL) {
		ask.credential = &pair[0];
		ask.second = &pair[1];
	}
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
	c->login->is_own_uid = gate_is_own_uid(c);
	if (!tarry_begin(c))
		admit_again(c);
}

void admit_proof(struct client *c, const void *body, size_t n)
{
	struct buf out;

	buf_init(&out, 0);
	admit_verdict(c, clientauth_input(c->login->auth, body, n, &out), &out);
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

	if (c->login->is_own_uid && conf_is_console(c->login->user))
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

/* everything between AuthenticationOk and ReadyForQuery, and what follows for the client */
static void admit_greet(struct client *c, const struct share_welcome *welcome, uint32_t pid)
{
	const char *message = c->worker->home.conf->set.login_notify_message;
	struct buf out;

	if (!vars_started(c)) {
		client_fail(c, CLIENT_END_NO_MEMORY, NULL);
		return;
	}
	c->pool->stats.client_login_count++;
	keyring_enter(c, pid);
	buf_init(&out, 0);
	(void)reply_auth_ok(&out);
	if (welcome != NULL)
		vars_greet(c, welcome, &out);
	else
		vars_greet_of(c->lease.server, &out);
	keyring_greet(c, &out);
	if (message[0] != '\0')
		(void)reply_notice(&out, "NOTICE", "00000", message);
	(void)reply_ready(&out, TRANSACTION_IDLE);
	if (out.bad) {
		buf_fini(&out);
		client_fail(c, CLIENT_END_NO_MEMORY, NULL);
		return;
	}
	conn_send(&c->conn, out.data, out.len, NULL);
	buf_fini(&out);
	entry_free(c);
	c->lease.ops = &request_lease_ops;
	client_enter(c, welcome != NULL ? CLIENT_IDLE : CLIENT_LINKED);
	conn_resume(&c->conn);
}

/* the server has spelt out what the client asked for, or nothing had to be asked */
static void admit_finish(struct client *c)
{
	struct share_welcome *welcome = share_welcome_get(c->pool->share);

	if (welcome != NULL)
		admit_greet(c, welcome, 0);
	else
		client_fail(c, CLIENT_END_NO_MEMORY, NULL);
	share_welcome_unref(welcome);
}

void admit_attach(struct client *c)
{
	struct server *s = c->lease.server;

	server_ride(s, &rider_ops, c);
	s->holds_ready = false;
	/* the client knows which one it has: it can't be moved to another unseen */
	s->request_mark = UINT64_MAX;
	admit_greet(c, NULL, s->pid);
}

static void admit_granted_attaching(struct client *c)
{
	if (c->lease.server->vars_hash == c->vars_hash)
		admit_attach(c);
	else
		canon_ask(c, admit_attach);
}

static void admit_on_granted(struct lease *l)
{
	struct client *c = container_of(l, struct client, lease);
	struct share_welcome *welcome;
	bool is_known;

	if (c->state == CLIENT_ATTACHING) {
		admit_granted_attaching(c);
		return;
	}
	welcome = share_welcome_get(c->pool->share);
	is_known = welcome == NULL || canon_is_known(c, welcome);
	share_welcome_unref(welcome);
	if (!is_known) {
		canon_ask(c, admit_finish);
		return;
	}
	lease_give_unused(&c->lease);
	admit_finish(c);
}

void admit_no_server(struct client *c, const struct server_failure *why)
{
	const char *sqlstate = why->sqlstate[0] != '\0' ? why->sqlstate : "08006";

	c->pool->stats.errors++;
	if (c->worker->home.conf->profile == CONF_PROFILE_PGBOUNCER)
		sqlstate = "08P01";
	client_fail_as(c, CLIENT_END_NO_SERVER, sqlstate, why->message);
}

static void admit_on_refused(struct lease *l, const struct server_failure *why)
{
	admit_no_server(container_of(l, struct client, lease), why);
}

static const struct lease_ops admit_lease_ops = {
	.on_granted = admit_on_granted,
	.on_refused = admit_on_refused,
};

static void admit_ask_server(struct client *c)
{
	struct server_failure why;

	c->lease.ops = &admit_lease_ops;
	conn_pause(&c->conn, ENTRY_KEEP);
	switch (lease_ask(&c->lease, c->pool, loop_now(c->conn.loop), &why)) {
	case LEASE_GRANTED:
		admit_on_granted(&c->lease);
		break;
	case LEASE_REFUSED:
		admit_on_refused(&c->lease, &why);
		break;
	case LEASE_WAITS:
		break;
	}
}

static void admit_ask_welcome(struct client *c)
{
	struct share_welcome *welcome;

	client_enter(c, CLIENT_WELCOME);
	if (c->pool_mode == CONF_POOL_SESSION && c->worker->home.conf->set.session_attach == CONF_ATTACH_LOGIN) {
		client_enter(c, CLIENT_ATTACHING);
		admit_ask_server(c);
		return;
	}
	welcome = share_welcome_get(c->pool->share);
	if (welcome != NULL && canon_is_known(c, welcome))
		admit_greet(c, welcome, 0);
	else
		admit_ask_server(c);
	share_welcome_unref(welcome);
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
	if (c->login->keys.is_set && db->force_user == NULL)
		keeper_learn_keys(c->pool, &c->login->keys);
	if (db->force_user == NULL)
		witness_teach(c);
	if (c->replication != 0)
		replica_begin(c);
	else
		admit_ask_welcome(c);
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
