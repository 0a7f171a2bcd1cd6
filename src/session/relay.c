/*
 * relay.c - the client's half of the relay.
 *
 * The hot path: an idle server is on this worker, one whole message lies in the
 * slice: two table look-ups, one list move, one conn_send.
 */
#include "session/relay.h"

#include "proto/reply.h"
#include "server/expect.h"
#include "session/admit.h"
#include "session/desk.h"
#include "session/rider.h"
#include "session/vars.h"
#include "session/worker.h"

#include <stdio.h>
#include <string.h>


#define RELAY_SMALL UINT32_C(10000)    /* PostgreSQL's own bound for short messages */

enum relay_rule {
	RULE_BAD,     /* not a message of this phase */
	RULE_REQUEST, /* owes replies: needs a server */
	RULE_SHORT,   /* the same, and is short by nature */
	RULE_FLUSH,   /* nothing to flush without a server */
	RULE_COPY,    /* belongs to a COPY that may be over already */
	RULE_END,
};

static const uint8_t relay_rules[256] = {
	[FE_QUERY] = RULE_REQUEST,    [FE_PARSE] = RULE_REQUEST, [FE_BIND] = RULE_REQUEST,
	[FE_FUNCTION_CALL] = RULE_REQUEST,
	[FE_EXECUTE] = RULE_SHORT,    [FE_DESCRIBE] = RULE_SHORT, [FE_CLOSE] = RULE_SHORT,
	[FE_SYNC] = RULE_SHORT,	      [FE_FLUSH] = RULE_FLUSH,	 [FE_COPY_DATA] = RULE_COPY,
	[FE_COPY_DONE] = RULE_COPY,   [FE_COPY_FAIL] = RULE_COPY, [FE_TERMINATE] = RULE_END,
};

enum relay_verdict {
	VERDICT_FORWARD,
	VERDICT_DROP,
	VERDICT_MORE, /* the first byte of the body is needed */
	VERDICT_WAIT, /* for a server; the header stays unread */
	VERDICT_END,  /* the client is closing */
};

struct relay_run {
	struct client *c;
	struct chunk *chunk;
	const uint8_t *from, *to;
};

static void relay_flush_run(struct relay_run *run, const uint8_t *next)
{
	if (run->to > run->from && run->c->lease.state == LEASE_HELD) {
		server_send(run->c->lease.server, run->from, (size_t)(run->to - run->from), run->chunk);
		run->c->pool->stats.bytes_received += (uint64_t)(run->to - run->from);
	}
	run->from = run->to = next;
}

static void relay_send_ready(struct client *c)
{
	static const uint8_t ready[6] = {BE_READY_FOR_QUERY, 0, 0, 0, 5, TRANSACTION_IDLE};

	conn_send(&c->conn, ready, sizeof(ready), NULL);
}

/* the error has been sent: drop what is left of the request, then say that we are ready */
static enum relay_verdict relay_skip(struct client *c, uint8_t type)
{
	if (c->is_refusing) {
		c->is_refusing = false;
		if (type == FE_QUERY || type == FE_FUNCTION_CALL) {
			relay_send_ready(c);
			return VERDICT_DROP;
		}
		c->is_skipping = true;
	}
	if (type == FE_SYNC) {
		c->is_skipping = false;
		relay_send_ready(c);
	}
	return VERDICT_DROP;
}

static void relay_ride(struct client *c)
{
	server_ride(c->lease.server, &rider_ops, c);
	c->lease.server->holds_ready = c->pool_mode == CONF_POOL_STATEMENT;
	client_enter(c, CLIENT_RUNNING);
	if (!vars_apply(c, c->lease.server))
		client_fail(c, CLIENT_END_NO_MEMORY, NULL);
}

/* A request begins and the client has no server. */
static enum relay_verdict relay_ask(struct client *c)
{
	struct server_failure why;

	if (FX_UNLIKELY(c->worker->is_draining)) {
		client_fail(c, CLIENT_END_SHUTDOWN, NULL);
		return VERDICT_END;
	}
	c->request_since = loop_now(c->conn.loop);
	switch (lease_ask(&c->lease, c->pool, c->request_since, &why)) {
	case LEASE_GRANTED:
		relay_ride(c);
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

/* until prepared statements follow the client over servers, a name would be lost with the next transaction */
static bool relay_is_named_parse(const struct client *c, uint8_t type, const uint8_t *body)
{
	return type == FE_PARSE && c->pool_mode != CONF_POOL_SESSION && body[0] != '\0';
}

static enum relay_verdict relay_refuse_name(struct client *c)
{
	static const char text[] = "named prepared statements need pool_mode = session";

	if (c->lease.state == LEASE_HELD) {
		/* its state in a transaction could not be told truthfully by anybody but the server */
		client_fail(c, CLIENT_END_NOT_SUPPORTED, "%s", text);
		return VERDICT_END;
	}
	client_send_error(c, "ERROR", "0A000", text);
	c->is_skipping = true;
	return VERDICT_DROP;
}

static void relay_note_text(struct server *s, uint8_t type, const uint8_t *body, size_t n)
{
	if (n == 0)
		return;
	if (type == FE_PARSE) {
		const uint8_t *nul = memchr(body, 0, n);

		if (nul == NULL)
			return;
		n -= (size_t)(nul + 1 - body);
		body = nul + 1;
	} else if (type != FE_QUERY) {
		return;
	}
	const uint8_t *end = memchr(body, 0, n);

	server_note_text(s, body, end != NULL ? (size_t)(end - body) : n);
}

/* What to do with a message whose header is here; body: the have bytes of its body that are here too. */
static enum relay_verdict relay_begin(struct client *c, uint8_t type, uint32_t length, const uint8_t *body, size_t have)
{
	enum relay_rule rule = (enum relay_rule)relay_rules[type];
	struct server *s;

	if (rule == RULE_BAD) {
		client_fail(c, CLIENT_END_PROTOCOL, "invalid frontend message type %u", type);
		return VERDICT_END;
	}
	if (length < 4 || length - 4 > c->worker->home.conf->set.max_packet_size ||
	    (length > RELAY_SMALL && rule != RULE_REQUEST && type != FE_COPY_DATA) ||
	    (length > 4 && rule == RULE_FLUSH)) {
		client_fail(c, CLIENT_END_PROTOCOL, "invalid message length %u for message type %u", length, type);
		return VERDICT_END;
	}
	if (rule == RULE_END) {
		client_close(c, CLIENT_END_QUIT);
		return VERDICT_END;
	}
	if (FX_UNLIKELY(c->is_refusing || c->is_skipping))
		return relay_skip(c, type);
	if (type == FE_PARSE && length > 4 && have == 0)
		return VERDICT_MORE;
	if (type == FE_PARSE && length > 4 && relay_is_named_parse(c, type, body))
		return relay_refuse_name(c);
	if (c->lease.state != LEASE_HELD) {
		enum relay_verdict verdict;

		if (rule == RULE_COPY || rule == RULE_FLUSH)
			return VERDICT_DROP;
		verdict = relay_ask(c);
		if (verdict == VERDICT_DROP)
			return relay_skip(c, type);
		if (verdict != VERDICT_FORWARD)
			return verdict;
	} else if (c->state != CLIENT_RUNNING && rule != RULE_COPY && rule != RULE_FLUSH) {
		c->request_since = loop_now(c->conn.loop);
		client_enter(c, CLIENT_RUNNING);
	}
	s = c->lease.server;
	relay_note_text(s, type, body, have);
	return server_note(s, type) ? VERDICT_FORWARD : VERDICT_END;
}

/* always forwarded while the client has a server */
static inline bool relay_is_plain(uint8_t type, uint32_t length)
{
	return relay_rules[type] != RULE_BAD && relay_rules[type] != RULE_END && type != FE_PARSE && length >= 4 &&
	       length <= RELAY_SMALL;
}

static inline uint32_t relay_length(const uint8_t *hdr)
{
	return (uint32_t)hdr[1] << 24 | (uint32_t)hdr[2] << 16 | (uint32_t)hdr[3] << 8 | hdr[4];
}

/* One header.  Gives where reading goes on; *stop is set when it does not. */
static const uint8_t *relay_header(struct relay_run *run, const uint8_t *p, const uint8_t *end, bool *stop)
{
	struct client *c = run->c;
	const uint8_t *start = p, *hdr = p;
	bool split = c->have > 0 || end - p < WIRE_HEADER_LEN;
	enum relay_verdict verdict;
	uint32_t length;

	if (split) {
		relay_flush_run(run, p);
		while (c->have < WIRE_HEADER_LEN && p < end)
			c->hdr[c->have++] = *p++;
		run->from = run->to = p;
		if (c->have < WIRE_HEADER_LEN) {
			*stop = true;
			return p;
		}
		hdr = c->hdr;
	} else {
		p += WIRE_HEADER_LEN;
	}
	length = relay_length(hdr);
	/* what this message does to the client or its lease must not overtake the bytes before it */
	if (!split && !relay_is_plain(hdr[0], length))
		relay_flush_run(run, start);
	verdict = relay_begin(c, hdr[0], length, p, (size_t)(end - p) < length - 4 ? (size_t)(end - p) : length - 4);
	switch (verdict) {
	case VERDICT_FORWARD:
	case VERDICT_DROP:
		c->type = hdr[0];
		c->left = length - 4;
		c->is_forwarding = verdict == VERDICT_FORWARD;
		if (!c->is_forwarding) {
			relay_flush_run(run, p);
		} else if (split) {
			server_send(c->lease.server, c->hdr, WIRE_HEADER_LEN, NULL);
		} else {
			run->to = p;
		}
		c->have = 0;
		return p;
	case VERDICT_MORE:
		if (!split) {
			relay_flush_run(run, p);
			memcpy(c->hdr, start, WIRE_HEADER_LEN);
			c->have = WIRE_HEADER_LEN;
		}
		*stop = true;
		return p;
	case VERDICT_WAIT:
		*stop = true;
		return split ? p : start;
	default:
		*stop = true;
		return end;
	}
}

static bool relay_is_on(const struct client *c)
{
	return c->state != CLIENT_CLOSING && c->state != CLIENT_GONE;
}

static size_t relay_bytes(struct client *c, struct chunk *chunk, const uint8_t *data, size_t n)
{
	struct relay_run run = {.c = c, .chunk = chunk, .from = data, .to = data};
	const uint8_t *p = data, *end = data + n;
	bool stop = false;

	/* a header that is whole but waits for its verdict is looked at even when no byte has come */
	while (!stop && (p < end || c->have == WIRE_HEADER_LEN)) {
		if (c->left == 0) {
			p = relay_header(&run, p, end, &stop);
			continue;
		}
		size_t take = (size_t)(end - p) < c->left ? (size_t)(end - p) : c->left;

		p += take;
		c->left -= (uint32_t)take;
		if (c->is_forwarding)
			run.to = p;
		else
			run.from = run.to = p;
	}
	if (!relay_is_on(c))
		return n;
	relay_flush_run(&run, end);
	return (size_t)(p - data);
}

size_t relay_on_bytes(struct client *c, struct chunk *chunk, const uint8_t *data, size_t n)
{
	size_t used;

	if (c->state == CLIENT_CONSOLE || c->state == CLIENT_COMMAND)
		return desk_on_bytes(c, data, n);
	c->is_relaying = true;
	used = relay_bytes(c, chunk, data, n);
	c->is_relaying = false;
	if (c->lease.state != LEASE_HELD)
		return used;
	if (server_is_full(c->lease.server))
		conn_pause(&c->conn, 0);
	/* the end of a message that nobody answers, such as CopyData that came too late */
	if (c->left == 0 && c->state == CLIENT_RUNNING && expect_is_quiet(&c->lease.server->expect))
		conn_notify_empty(&c->lease.server->conn);
	return used;
}

static void relay_on_granted(struct lease *l)
{
	struct client *c = container_of(l, struct client, lease);

	if (c->state == CLIENT_WELCOME) {
		admit_on_granted(c);
		return;
	}
	relay_ride(c);
	if (c->state == CLIENT_RUNNING && c->have == WIRE_HEADER_LEN)
		(void)relay_on_bytes(c, NULL, NULL, 0);
	if (c->state != CLIENT_GONE)
		conn_resume(&c->conn);
}

void relay_granted_again(struct client *c)
{
	relay_on_granted(&c->lease);
}

void relay_refuse_request(struct client *c, const char *sqlstate, const char *message)
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

static void relay_on_refused(struct lease *l, const struct server_failure *why)
{
	struct client *c = container_of(l, struct client, lease);

	c->pool->stats.errors++;
	if (c->state == CLIENT_WELCOME)
		admit_on_refused(c, why);
	else if (c->worker->home.conf->profile == CONF_PROFILE_PGBOUNCER)
		client_fail(c, CLIENT_END_NO_SERVER, "%s", why->message);
	else
		relay_refuse_request(c, why->sqlstate[0] != '\0' ? why->sqlstate : "08006", why->message);
}

const struct lease_ops relay_lease_ops = {
	.on_granted = relay_on_granted,
	.on_refused = relay_on_refused,
};

static void relay_notify(struct client *c)
{
	uint64_t wait = c->limits->query_wait_timeout;
	struct buf out;

	c->was_notified = true;
	buf_init(&out, 0);
	if (reply_notice(&out, "NOTICE", "00000",
			 "No server connection available in postgres backend, client being queued") == 0)
		conn_send(&c->conn, out.data, out.len, NULL);
	buf_fini(&out);
	if (wait > 0)
		loop_arm(c->conn.loop, &c->deadline, wait - c->worker->home.conf->set.query_wait_notify);
}

static void relay_explain_wait(const struct client *c, char *out, size_t size)
{
	const struct conf_limits *l = &c->pool->limits;
	struct share *share = c->pool->share;
	unsigned db, user, ignored, servers;

	hub_tally_database(share->hub, share->database, &db, &ignored);
	hub_tally_user(share->hub, share->user, &user, &ignored);
	servers = share_servers(share);
	if (atomic_load(&share->is_paused))
		snprintf(out, size, "the database is paused");
	else if (l->max_db_connections > 0 && db >= (uint64_t)l->max_db_connections)
		snprintf(out, size, "max_db_connections %u reached", db);
	else if (l->max_user_connections > 0 && user >= (uint64_t)l->max_user_connections)
		snprintf(out, size, "max_user_connections %u reached", user);
	else if (pool_cap(c->pool) > 0 && servers >= pool_cap(c->pool))
		snprintf(out, size, "all %u servers are busy (pool_size %u, max_overflow %u)", servers,
			 (unsigned)l->pool_size, (unsigned)l->max_overflow);
	else
		snprintf(out, size, "no server could be connected yet");
}

void relay_on_wait_deadline(struct client *c)
{
	const struct conf *conf = c->worker->home.conf;
	uint64_t notify = conf->set.query_wait_notify, wait = c->limits->query_wait_timeout;
	char why[160], text[256];

	if (!c->was_notified && notify > 0 && (wait == 0 || notify < wait)) {
		relay_notify(c);
		return;
	}
	c->pool->stats.wait_timeouts++;
	if (conf->profile == CONF_PROFILE_PGBOUNCER) {
		client_fail(c, CLIENT_END_WAIT_TIMEOUT, NULL);
		return;
	}
	relay_explain_wait(c, why, sizeof(why));
	snprintf(text, sizeof(text), "query_wait_timeout: waited %.3g s for a server connection: %s", (double)wait / 1e6,
		 why);
	relay_refuse_request(c, client_sqlstate(c, CLIENT_END_WAIT_TIMEOUT), text);
}
