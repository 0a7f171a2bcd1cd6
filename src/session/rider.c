/*
 * rider.c - the server's half of the relay.
 */
#include "session/rider.h"

#include "proto/wire.h"
#include "server/doubt.h"
#include "server/owed.h"
#include "session/record.h"
#include "session/relay.h"
#include "session/request.h"
#include "session/rewrite.h"
#include "session/special.h"
#include "session/statements.h"
#include "session/varreset.h"
#include "session/vars.h"
#include "session/watch.h"
#include "session/worker.h"

#include <string.h>

static inline void rider_give(struct client *c, struct server *s, struct chunk *chunk, const uint8_t *data, size_t n)
{
	conn_send(&c->conn, data, n, chunk);
	c->pool->stats.bytes_sent += n;
	if (FX_UNLIKELY(conn_out_pending(&c->conn) >= CONN_HIGH)) {
		if (c->is_leaving && c->conn.is_write_dead)
			client_close(c, CLIENT_END_RESET);
		else
			conn_pause(&s->conn, 0);
	}
}

static void rider_on_reply(struct server *s, struct chunk *chunk, const uint8_t *data, size_t n)
{
	struct client *c = s->rider;

	if (!c->has_answered)
		special_release(c);
	c->has_answered = true;
	rider_give(c, s, chunk, data, n);
}

static void rider_on_parsed(struct server *s)
{
	static const uint8_t parse_complete[WIRE_HEADER_LEN] = {BE_PARSE_COMPLETE, 0, 0, 0, 4};
	struct client *c = s->rider;

	if (!record_tell_parsed(c))
		c->has_answered = true;
	rider_give(c, s, NULL, parse_complete, sizeof(parse_complete));
}

static void rider_on_ready(struct server *s, char status)
{
	struct client *c = s->rider;
	struct stats *stats = &c->pool->stats;
	uint64_t now = loop_now(s->loop);

	varreset_on_ready(c, s, status);
	if (FX_UNLIKELY(status != TRANSACTION_IDLE && c->pool_mode == CONF_POOL_STATEMENT)) {
		client_fail(c, CLIENT_END_BLOCKS_NOT_ALLOWED, NULL);
		return;
	}
	stats->query_count++;
	stats->query_time += now - c->request_since;
	c->request_since = now;
	if (status == TRANSACTION_IDLE) {
		stats->xact_count++;
		stats->xact_time += now - s->xact_since;
		s->xact_since = now;
	}
}

/* The client's bytes are read again; a message that was put together of pieces and had to wait is in none of them.  Where the
 * rest of it is still to be read it goes on waiting until then, or what it waits with would be returned. */
static void rider_wake(struct client *c)
{
	if (c->state == CLIENT_CLOSING || c->state == CLIENT_GONE)
		return;
	conn_resume(&c->conn);
	if (FX_UNLIKELY(c->is_stalled && c->have == WIRE_HEADER_LEN && !conn_has_kept(&c->conn)))
		(void)relay_on_bytes(c, NULL, NULL, 0);
}

/* it has said Terminate, and its last answer is queued */
static void rider_leave(struct client *c)
{
	if (c->conn.is_write_dead || conn_out_pending(&c->conn) == 0)
		client_close(c, CLIENT_END_QUIT);
	else
		client_finish(c, CLIENT_END_QUIT);
}

/* all of this turn's bytes are read: what is the client doing now? */
static void rider_rest(struct client *c, struct server *s)
{
	if (s->expect.count > 0 || s->expect.in_batch || s->expect.in_copy || c->state != CLIENT_RUNNING)
		return;
	if (s->status == TRANSACTION_IDLE) {
		if (c->pool_mode == CONF_POOL_SESSION)
			client_enter(c, CLIENT_LINKED);
	} else {
		client_enter(c, CLIENT_INXACT);
	}
}

static void rider_on_settled(struct server *s)
{
	struct client *c = s->rider;

	rider_rest(c, s);
	if (FX_UNLIKELY(c->is_leaving) && owed_ready(&s->expect) == 0) {
		rider_leave(c);
		return;
	}
	if (!(c->left > 0 && c->is_forwarding))
		doubt_ask(s);
	if (FX_UNLIKELY(c->is_stalled) && !varreset_must_wait(c, s))
		rider_wake(c);
}

static void rider_on_quiet(struct server *s)
{
	struct client *c = s->rider;

	if (c->left > 0 && c->is_forwarding)
		return; /* the client is in the middle of a message, which the server must have whole */
	if (FX_UNLIKELY(c->is_stalled && !c->has_answered)) {
		rider_wake(c); /* its parameters are set, the request is to begin: here, or the next server has to be told them, too */
		return;
	}
	if (FX_UNLIKELY(c->statements != NULL)) {
		if (special_retry(c, s))
			return;
		record_end(c);
		statements_tidy(c->statements);
	}
	if (FX_UNLIKELY(c->is_leaving)) {
		rider_leave(c);
		return;
	}
	if (c->pool_mode == CONF_POOL_SESSION) {
		if (!watch_fast_close(c))
			rider_rest(c, s);
		if (FX_UNLIKELY(c->is_stalled))
			rider_wake(c);
		return;
	}
	/* what it goes on with uses the unnamed statement, which is here */
	if (!c->is_stalled || !c->has_unnamed) {
		lease_return(&c->lease, c->worker->home.conf->set.server_reset_query_always);
		client_enter(c, CLIENT_IDLE);
	}
	if (FX_UNLIKELY(c->is_stalled))
		rider_wake(c);
}

static void rider_on_told(struct server *s, enum expect_outcome outcome)
{
	struct client *c = s->rider;

	statements_ended(c->statements, outcome);
}

static void rider_on_shape(struct server *s, uint64_t shape)
{
	struct client *c = s->rider;

	if (c->statements != NULL)
		statements_tell_shape(c->statements, shape);
}

static void rider_on_tag(struct server *s, const char *tag)
{
	struct client *c = s->rider;
	bool all = strcmp(tag, "DISCARD ALL") == 0;

	if (c->statements != NULL && (all || strcmp(tag, "DEALLOCATE ALL") == 0))
		statements_forget_all(c->statements);
	/* of which statements the rows are others now nobody says: who parses from now on shall not get an older one */
	if (strncmp(tag, "ALTER ", 6) == 0)
		stmt_store_outdate(c->worker->home.hub->statements);
	varreset_on_tag(c, s, tag);
}

static bool rider_on_special(struct server *s, uint8_t type, const uint8_t *body, size_t n)
{
	return special_on_message(s->rider, s, type, body, n);
}

static void rider_on_parameter(struct server *s, const char *name, const char *value)
{
	vars_reported(s->rider, s, name, value);
}

/* the client's own startup value was not to the server's taste: it can't be served as it was told it would be */
static void rider_on_ours_failed(struct server *s, const char *sqlstate, const char *message)
{
	vars_failed(s->rider, s, sqlstate, message);
}

static void rider_on_room(struct server *s)
{
	struct client *c = s->rider;

	if (c->statements == NULL || !c->statements->is_retrying)
		rider_wake(c);
}

/* the bytes that were not written, in front of what the client has sent since */
static bool rider_take_back(struct client *c, struct server *s)
{
	struct buf unsent;
	bool ok;

	buf_init(&unsent, 0);
	(void)conn_take_out(&s->conn, &unsent);
	/* what we said ourselves in front is said anew, as the next server needs it */
	buf_consume(&unsent, s->ours_unsent);
	(void)buf_append(&unsent, c->hdr, c->have);
	/* of a message that is being put together; one that was passed on meanwhile is among what was not written */
	if (c->statements != NULL && c->have > 0)
		(void)buf_append(&unsent, c->statements->part.data, c->statements->part.len);
	ok = !unsent.bad && conn_unread(&c->conn, unsent.data, unsent.len) == 0;
	if (ok) {
		c->have = 0;
		c->left = 0;
		c->is_teeing = false;
		if (c->statements != NULL)
			rewrite_drop_part(c);
	}
	buf_fini(&unsent);
	return ok;
}

/* not one byte of the request has left us: it may go to another server, and the client never knows */
static bool rider_move(struct client *c, struct server *s)
{
	struct server_failure why;

	if (conn_written(&s->conn) != s->request_mark || c->is_relaying || c->state != CLIENT_RUNNING)
		return false;
	conn_pause(&c->conn, RELAY_KEEP);
	if (c->is_rewritten) {
		if (!record_is_whole(c) || record_rewind(c) < 0) {
			conn_resume(&c->conn);
			return false;
		}
	} else if (!rider_take_back(c, s)) {
		return false;
	}
	lease_lost(&c->lease);
	client_enter(c, CLIENT_IDLE);
	switch (lease_ask(&c->lease, c->pool, c->request_since, &why)) {
	case LEASE_GRANTED:
		request_granted_again(c);
		break;
	case LEASE_WAITS:
		client_enter(c, CLIENT_WAITING);
		break;
	case LEASE_REFUSED:
		/* asks again when its bytes are read again, and is told why then */
		conn_resume(&c->conn);
		break;
	}
	return true;
}

/* what was sent and not answered has not happened as far as anybody knows */
static void rider_forget(struct client *c)
{
	if (c->statements == NULL)
		return;
	statements_undo(c->statements);
	c->statements->is_retrying = false;
	record_end(c);
}

static void rider_end_request(struct client *c, struct server *s, bool has_told)
{
	bool owes_ready = owed_ready(&s->expect) == 1;

	c->pool->stats.errors++;
	rider_forget(c);
	lease_lost(&c->lease);
	if (!has_told)
		client_send_error(c, "ERROR", client_sqlstate(c, CLIENT_END_SERVER_LOST),
				  client_end_text(CLIENT_END_SERVER_LOST));
	if (owes_ready) {
		static const uint8_t ready[6] = {BE_READY_FOR_QUERY, 0, 0, 0, 5, TRANSACTION_IDLE};

		conn_send(&c->conn, ready, sizeof(ready), NULL);
	} else {
		c->is_skipping = true;
	}
	if (c->left > 0)
		c->is_forwarding = false;
	client_enter(c, CLIENT_IDLE);
	rider_wake(c);
}

/* May the session go on after the loss?  Only where the client can't take the next statement for a part of a
 * transaction that is gone, and where its stream is at a place that can be told exactly. */
static bool rider_may_go_on(const struct client *c, const struct server *s)
{
	unsigned owed = owed_ready(&s->expect);

	if (c->worker->home.conf->profile == CONF_PROFILE_PGBOUNCER || c->pool_mode == CONF_POOL_SESSION)
		return false;
	if (c->state != CLIENT_RUNNING || s->status != TRANSACTION_IDLE || s->reader.left > 0 || s->expect.in_copy ||
	    !expect_is_sure(&s->expect))
		return false;
	return owed == 1 ? owed_is_one_request(&s->expect) && !s->expect.in_batch && c->left == 0
			 : owed == 0 && s->expect.in_batch;
}

/* its last request was answered in the same run of bytes: the client has nothing to do with this server any more */
static bool rider_is_done(struct client *c, struct server *s)
{
	/* what was answered may have been kept from it, to be said anew */
	if (c->statements != NULL && c->statements->is_retrying)
		return false;
	if (c->pool_mode == CONF_POOL_SESSION || c->state != CLIENT_RUNNING || c->is_relaying || (c->left > 0 && c->is_forwarding) ||
	    s->status != TRANSACTION_IDLE || !expect_is_quiet(&s->expect) || s->reader.left > 0 ||
	    conn_out_pending(&s->conn) > 0 || conn_written(&s->conn) == s->request_mark)
		return false;
	rider_forget(c);
	lease_lost(&c->lease);
	client_enter(c, CLIENT_IDLE);
	rider_wake(c);
	return true;
}

static void rider_on_lost(struct server *s, enum server_end why, bool has_told)
{
	struct client *c = s->rider;
	bool is_torn;

	if (c->is_leaving) {
		lease_lost(&c->lease);
		client_finish(c, CLIENT_END_QUIT);
		return;
	}
	if (!has_told && (rider_is_done(c, s) || rider_move(c, s)))
		return;
	if (rider_may_go_on(c, s) && (why == SERVER_END_CRASHED || why == SERVER_END_FAREWELL)) {
		rider_end_request(c, s, has_told);
		return;
	}
	is_torn = server_is_mid_reply(s);
	c->pool->stats.errors += why != SERVER_END_ADMIN && why != SERVER_END_SHUTDOWN;
	lease_lost(&c->lease);
	if (has_told)
		client_finish(c, CLIENT_END_SERVER_FAREWELL);
	else if (is_torn)
		client_finish(c, CLIENT_END_SERVER_LOST);
	else if (why == SERVER_END_FAREWELL && s->failure.sqlstate[0] != '\0')
		client_fail_as(c, CLIENT_END_SERVER_FAREWELL, s->failure.sqlstate, s->failure.message);
	else if (why == SERVER_END_ADMIN)
		client_fail(c, CLIENT_END_ADMIN, NULL);
	else
		client_fail(c, CLIENT_END_SERVER_LOST, NULL);
}

const struct server_rider_ops rider_ops = {
	.on_reply = rider_on_reply,
	.on_parsed = rider_on_parsed,
	.on_ready = rider_on_ready,
	.on_settled = rider_on_settled,
	.on_quiet = rider_on_quiet,
	.on_told = rider_on_told,
	.on_shape = rider_on_shape,
	.on_tag = rider_on_tag,
	.on_special = rider_on_special,
	.on_parameter = rider_on_parameter,
	.on_ours_failed = rider_on_ours_failed,
	.on_room = rider_on_room,
	.on_lost = rider_on_lost,
};
