/*
 * request.c - how a request gets its server, or is refused.
 */
#include "session/request.h"

#include "session/record.h"
#include "session/relay.h"
#include "session/rider.h"
#include "session/varreset.h"
#include "session/vars.h"
#include "session/worker.h"

static void request_send_ready(struct client *c)
{
	static const uint8_t ready[6] = {BE_READY_FOR_QUERY, 0, 0, 0, 5, TRANSACTION_IDLE};

	conn_send(&c->conn, ready, sizeof(ready), NULL);
}

enum request_verdict request_skip(struct client *c, uint8_t type)
{
	if (c->is_refusing) {
		c->is_refusing = false;
		if (type == FE_QUERY || type == FE_FUNCTION_CALL) {
			request_send_ready(c);
			return VERDICT_DROP;
		}
		c->is_skipping = true;
	}
	if (type == FE_SYNC) {
		c->is_skipping = false;
		request_send_ready(c);
	}
	return VERDICT_DROP;
}

static void request_ride(struct client *c)
{
	server_ride(c->lease.server, &rider_ops, c);
	c->has_unnamed = c->has_answered = c->is_rewritten = false;
	record_begin(c);
	if (FX_UNLIKELY(c->is_unsaid))
		varreset_drop(c);
	c->lease.server->holds_ready = c->pool_mode == CONF_POOL_STATEMENT;
	client_enter(c, CLIENT_RUNNING);
	if (!vars_apply(c, c->lease.server))
		client_fail(c, CLIENT_END_NO_MEMORY, NULL);
}

enum request_verdict request_ask(struct client *c)
{
	struct server_failure why;

	if (FX_UNLIKELY(c->worker->is_draining)) {
		client_fail(c, CLIENT_END_SHUTDOWN, NULL);
		return VERDICT_END;
	}
	c->request_since = loop_now(c->conn.loop);
	switch (lease_ask(&c->lease, c->pool, c->request_since, &why)) {
	case LEASE_GRANTED:
		request_ride(c);
		return c->state == CLIENT_RUNNING ? VERDICT_FORWARD : VERDICT_END;
	case LEASE_WAITS:
		c->was_notified = false;
		client_enter(c, CLIENT_WAITING);
		conn_pause(&c->conn, RELAY_KEEP);
		return VERDICT_WAIT;
	case LEASE_REFUSED:
		break;
	}
	c->pool->stats.errors++;
	if (c->worker->home.conf->profile == CONF_PROFILE_PGBOUNCER) {
		client_fail(c, CLIENT_END_NO_SERVER, "server login has been failing, cached error: %s (server_login_retry)",
			    why.message);
		return VERDICT_END;
	}
	client_send_error(c, "ERROR", why.sqlstate[0] != '\0' ? why.sqlstate : "08006", why.message);
	c->is_refusing = true;
	return VERDICT_DROP;
}

static void request_on_granted(struct lease *l)
{
	struct client *c = container_of(l, struct client, lease);

	request_ride(c);
	if (c->state == CLIENT_RUNNING && c->have == WIRE_HEADER_LEN)
		(void)relay_on_bytes(c, NULL, NULL, 0);
	if (c->state != CLIENT_GONE)
		conn_resume(&c->conn);
}

void request_granted_again(struct client *c)
{
	request_on_granted(&c->lease);
}

void request_refuse(struct client *c, const char *sqlstate, const char *message)
{
	CHECK(c->state == CLIENT_WAITING);
	lease_leave(&c->lease);
	client_enter(c, CLIENT_IDLE);
	client_send_error(c, "ERROR", sqlstate, message);
	c->is_refusing = true;
	if (c->have == WIRE_HEADER_LEN)
		(void)relay_on_bytes(c, NULL, NULL, 0);
	if (c->state != CLIENT_GONE)
		conn_resume(&c->conn);
}

static void request_on_refused(struct lease *l, const struct server_failure *why)
{
	struct client *c = container_of(l, struct client, lease);

	c->pool->stats.errors++;
	if (c->worker->home.conf->profile == CONF_PROFILE_PGBOUNCER)
		client_fail(c, CLIENT_END_NO_SERVER, "%s", why->message);
	else
		request_refuse(c, why->sqlstate[0] != '\0' ? why->sqlstate : "08006", why->message);
}

const struct lease_ops request_lease_ops = {
	.on_granted = request_on_granted,
	.on_refused = request_on_refused,
};
