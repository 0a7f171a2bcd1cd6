/*
 * welcome.c - what a client is told when it is in, and the server that is needed for it.
 */
#include "session/welcome.h"

#include "proto/reply.h"
#include "session/canon.h"
#include "session/entry.h"
#include "session/entry_impl.h"
#include "session/keyring.h"
#include "session/request.h"
#include "session/rider.h"
#include "session/vars.h"
#include "session/worker.h"

/* everything between AuthenticationOk and ReadyForQuery, and what follows for the client */
static void welcome_greet(struct client *c, const struct share_welcome *welcome, uint32_t pid)
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
static void welcome_finish(struct client *c)
{
	struct share_welcome *welcome = share_welcome_get(c->pool->share);

	if (welcome != NULL)
		welcome_greet(c, welcome, 0);
	else
		client_fail(c, CLIENT_END_NO_MEMORY, NULL);
	share_welcome_unref(welcome);
}

void welcome_attach(struct client *c)
{
	struct server *s = c->lease.server;

	server_ride(s, &rider_ops, c);
	s->holds_ready = false;
	/* the client knows which one it has: it can't be moved to another unseen */
	s->request_mark = UINT64_MAX;
	welcome_greet(c, NULL, s->pid);
}

static void welcome_granted_attaching(struct client *c)
{
	if (c->lease.server->vars_hash == c->vars_hash)
		welcome_attach(c);
	else
		canon_ask(c, welcome_attach);
}

static void welcome_on_granted(struct lease *l)
{
	struct client *c = container_of(l, struct client, lease);
	struct share_welcome *welcome;
	bool is_known;

	if (c->state == CLIENT_ATTACHING) {
		welcome_granted_attaching(c);
		return;
	}
	welcome = share_welcome_get(c->pool->share);
	is_known = welcome == NULL || canon_is_known(c, welcome);
	share_welcome_unref(welcome);
	if (!is_known) {
		canon_ask(c, welcome_finish);
		return;
	}
	lease_give_unused(&c->lease);
	welcome_finish(c);
}

void welcome_no_server(struct client *c, const struct server_failure *why)
{
	const char *sqlstate = why->sqlstate[0] != '\0' ? why->sqlstate : "08006";

	c->pool->stats.errors++;
	if (c->worker->home.conf->profile == CONF_PROFILE_PGBOUNCER)
		sqlstate = "08P01";
	client_fail_as(c, CLIENT_END_NO_SERVER, sqlstate, why->message);
}

static void welcome_on_refused(struct lease *l, const struct server_failure *why)
{
	welcome_no_server(container_of(l, struct client, lease), why);
}

static const struct lease_ops welcome_lease_ops = {
	.on_granted = welcome_on_granted,
	.on_refused = welcome_on_refused,
};

static void welcome_ask_server(struct client *c)
{
	struct server_failure why;

	c->lease.ops = &welcome_lease_ops;
	conn_pause(&c->conn, ENTRY_KEEP);
	switch (lease_ask(&c->lease, c->pool, loop_now(c->conn.loop), &why)) {
	case LEASE_GRANTED:
		welcome_on_granted(&c->lease);
		break;
	case LEASE_REFUSED:
		welcome_on_refused(&c->lease, &why);
		break;
	case LEASE_WAITS:
		break;
	}
}

void welcome_begin(struct client *c)
{
	struct share_welcome *welcome;

	client_enter(c, CLIENT_WELCOME);
	if (c->pool_mode == CONF_POOL_SESSION && c->worker->home.conf->set.session_attach == CONF_ATTACH_LOGIN) {
		client_enter(c, CLIENT_ATTACHING);
		welcome_ask_server(c);
		return;
	}
	welcome = share_welcome_get(c->pool->share);
	if (welcome != NULL && canon_is_known(c, welcome))
		welcome_greet(c, welcome, 0);
	else
		welcome_ask_server(c);
	share_welcome_unref(welcome);
}
