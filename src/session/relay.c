/*
 * relay.c - the client's half of the relay.
 *
 * The hot path: an idle server is on this worker, one whole message lies in the
 * slice: two table look-ups, one list move, one conn_send.
 */
#include "session/relay.h"

#include "server/doubt.h"
#include "server/expect.h"
#include "server/owed.h"
#include "session/desk.h"
#include "session/record.h"
#include "session/request.h"
#include "session/rewrite.h"
#include "session/unnamed.h"
#include "session/varreset.h"
#include "session/worker.h"

#include <string.h>


#define RELAY_COPY_MAX ((size_t)512)   /* copying this is cheaper than one more piece in a system call */
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

struct relay_run {
	struct client *c;
	struct chunk *chunk;
	const uint8_t *from, *to;
	const uint8_t *record; /* from here on the slice belongs into the client's record */
	struct rewrite_unnamed unnamed;
	bool is_rewritten; /* something of ours was queued: small pieces are copied behind it */
};

static void relay_flush_run(struct relay_run *run, const uint8_t *next)
{
	size_t n = (size_t)(run->to - run->from);

	if (n > 0 && run->c->lease.state == LEASE_HELD) {
		server_send(run->c->lease.server, run->from, n,
			    run->is_rewritten && n <= RELAY_COPY_MAX ? NULL : run->chunk);
		run->c->pool->stats.bytes_received += n;
	}
	run->from = run->to = next;
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

/* whole requests stand in front of the Terminate: they are done, and answered, before it */
static bool relay_is_answering(const struct client *c)
{
	return c->lease.state == LEASE_HELD && c->state == CLIENT_RUNNING && !c->lease.server->expect.in_copy &&
	       owed_ready(&c->lease.server->expect) > 0;
}

/* May this message be said now? */
static enum request_verdict relay_check(struct client *c, uint8_t type, uint32_t length)
{
	enum relay_rule rule = (enum relay_rule)relay_rules[type];

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
		if (relay_is_answering(c)) {
			c->is_leaving = true;
			conn_pause(&c->conn, RELAY_KEEP);
			return VERDICT_WAIT;
		}
		/* answers of this turn may not be written yet */
		if (conn_out_pending(&c->conn) > 0 && !c->conn.is_write_dead)
			client_finish(c, CLIENT_END_QUIT);
		else
			client_close(c, CLIENT_END_QUIT);
		return VERDICT_END;
	}
	if (FX_UNLIKELY(c->is_refusing || c->is_skipping))
		return request_skip(c, type);
	if (FX_UNLIKELY(type == FE_QUERY && c->worker->home.conf->set.disable_pqexec)) {
		client_fail(c, CLIENT_END_PROTOCOL, "PQexec disallowed");
		return VERDICT_END;
	}
	return VERDICT_FORWARD;
}

/* FORWARD: the client has a server, which is to get this message. */
static enum request_verdict relay_hold(struct client *c, uint8_t type)
{
	enum relay_rule rule = (enum relay_rule)relay_rules[type];

	if (c->lease.state != LEASE_HELD) {
		enum request_verdict verdict;

		if (rule == RULE_COPY || rule == RULE_FLUSH)
			return VERDICT_DROP;
		verdict = request_ask(c);
		return verdict == VERDICT_DROP ? request_skip(c, type) : verdict;
	}
	if (c->state != CLIENT_RUNNING && rule != RULE_COPY && rule != RULE_FLUSH) {
		c->request_since = loop_now(c->conn.loop);
		client_enter(c, CLIENT_RUNNING);
	}
	return VERDICT_FORWARD;
}

/* A header and what of its body is here; have is less than length - 4 when the rest is not. */
struct relay_message {
	const uint8_t *hdr, *body;
	const uint8_t *next; /* where reading of the slice goes on */
	size_t have;
	size_t used; /* VERDICT_SENT: so much of the body is dealt with */
	uint32_t length;
	bool split;	  /* the header came in pieces, or in an earlier slice */
	bool wanted;	  /* it has to be looked into */
	bool is_gathered; /* body lies in the client's record and not in the slice */
};

/* An unnamed Parse of this slice is bound now, or its batch ends without that. */
static void relay_end_unnamed(struct relay_run *run, uint8_t type)
{
	if (type == FE_BIND || type == FE_QUERY)
		run->unnamed.body = NULL;
	else if (type == FE_SYNC)
		unnamed_keep(run->c, &run->unnamed);
}

static bool relay_is_recording(const struct client *c)
{
	return c->statements != NULL && c->statements->is_recording;
}

static enum request_verdict relay_rewrite(struct relay_run *run, struct relay_message *m)
{
	struct client *c = run->c;
	bool was_recording = relay_is_recording(c);
	enum rewrite_verdict verdict =
		rewrite_message(c, m->hdr[0], m->length - 4, m->body, m->have, &run->unnamed, &m->used);

	/* what stands before it was caught up with */
	if (relay_is_recording(c) && !was_recording)
		run->record = m->split ? m->next : m->hdr;
	switch (verdict) {
	case REWRITE_SENT:
		c->is_rewritten = true;
		run->is_rewritten = true;
		return VERDICT_SENT;
	case REWRITE_STALL:
		c->is_stalled = true;
		c->lease.server->is_throttled = true; /* the answer may come without a ReadyForQuery */
		conn_pause(&c->conn, RELAY_KEEP);
		return VERDICT_WAIT;
	case REWRITE_END:
		return VERDICT_END;
	case REWRITE_PLAIN:
		break;
	}
	return VERDICT_FORWARD;
}

/* The server must say more before this message can be sent to it. */
static enum request_verdict relay_wait(struct relay_run *run, const struct relay_message *m)
{
	struct client *c = run->c;

	relay_flush_run(run, m->split ? m->next : m->hdr);
	c->is_stalled = true;
	conn_pause(&c->conn, RELAY_KEEP);
	return doubt_wait(c->lease.server) ? VERDICT_WAIT : VERDICT_END;
}

/* Our part of the client's RESET comes first, and that waits for the end of the client's cancels. */
static enum request_verdict relay_catch_up(struct relay_run *run, const struct relay_message *m)
{
	struct client *c = run->c;

	relay_flush_run(run, m->split ? m->next : m->hdr);
	if (!varreset_must_wait(c, c->lease.server))
		return varreset_catch_up(c, c->lease.server) ? VERDICT_FORWARD : VERDICT_END;
	c->is_stalled = true;
	conn_pause(&c->conn, RELAY_KEEP);
	return VERDICT_WAIT;
}

/* What to do with a message that is allowed. */
static enum request_verdict relay_begin(struct relay_run *run, struct relay_message *m)
{
	struct client *c = run->c;
	bool had_server = c->lease.state == LEASE_HELD;
	enum request_verdict verdict = relay_hold(c, m->hdr[0]);

	if (FX_UNLIKELY(c->is_unsaid) && verdict == VERDICT_FORWARD)
		verdict = relay_catch_up(run, m);
	if (verdict != VERDICT_FORWARD)
		return verdict;
	if (!had_server)
		run->record = m->split ? m->next : m->hdr;
	switch (expect_admit(&c->lease.server->expect, m->hdr[0])) {
	case EXPECT_SEND:
		break;
	case EXPECT_WAIT:
		return relay_wait(run, m);
	case EXPECT_DROP:
		return VERDICT_DROP;
	}
	if (FX_UNLIKELY(m->wanted))
		verdict = relay_rewrite(run, m);
	if (verdict != VERDICT_FORWARD)
		return verdict;
	if (FX_UNLIKELY(run->unnamed.body != NULL) && m->hdr[0] != FE_PARSE)
		relay_end_unnamed(run, m->hdr[0]);
	relay_note_text(c->lease.server, m->hdr[0], m->body, m->have);
	return server_note(c->lease.server, m->hdr[0]) ? VERDICT_FORWARD : VERDICT_END;
}

/* always forwarded while the client has a server */
static inline bool relay_is_plain(uint8_t type, uint32_t length)
{
	return relay_rules[type] != RULE_BAD && relay_rules[type] != RULE_END && length >= 4 && length <= RELAY_SMALL;
}

static inline uint32_t relay_length(const uint8_t *hdr)
{
	return (uint32_t)hdr[1] << 24 | (uint32_t)hdr[2] << 16 | (uint32_t)hdr[3] << 8 | hdr[4];
}

/* Puts together as much of the message as must be seen.  false: the rest has not come, or the client is closing. */
static bool relay_gather(struct relay_run *run, struct relay_message *m)
{
	struct client *c = run->c;
	uint32_t len = m->length - 4;
	struct statements *st = c->statements;
	size_t take;

	if ((st == NULL || st->part.len == 0) && rewrite_has_enough(c, m->hdr[0], len, m->body, m->have))
		return m->hdr[0] != FE_PARSE || len == 0 || m->body[0] == '\0' || rewrite_prepare(c);
	if (!rewrite_prepare(c))
		return false;
	st = c->statements;
	if (!m->split) {
		memcpy(c->hdr, m->hdr, WIRE_HEADER_LEN);
		c->have = WIRE_HEADER_LEN;
		m->hdr = c->hdr;
		m->split = true;
	}
	take = m->have < len - st->part.len ? m->have : len - st->part.len;
	if (!rewrite_keep_part(c, m->hdr[0], len, m->body, take))
		return false;
	m->next = m->body + take;
	run->from = run->to = m->next;
	m->is_gathered = true;
	m->body = st->part.data;
	m->have = st->part.len;
	return rewrite_has_enough(c, m->hdr[0], len, m->body, m->have);
}

/* The message is begun: what of it is not dealt with is forwarded or dropped as it lies in the slice. */
static const uint8_t *relay_pass(struct relay_run *run, const struct relay_message *m, enum request_verdict verdict)
{
	struct client *c = run->c;
	const uint8_t *p = m->next;
	size_t done = 0;

	c->type = m->hdr[0];
	c->is_forwarding = verdict != VERDICT_DROP;
	if (m->is_gathered) {
		struct server *s = c->lease.server;

		done = m->have;
		if (verdict == VERDICT_FORWARD)
			server_send(s, m->hdr, WIRE_HEADER_LEN, NULL);
		if (verdict == VERDICT_FORWARD)
			server_send(s, m->body, m->have, NULL);
		else if (verdict == VERDICT_SENT && m->have > m->used)
			server_send(s, m->body + m->used, m->have - m->used, NULL);
		/* it does not lie in the slice */
		unnamed_keep(c, &run->unnamed);
		rewrite_drop_part(c);
	} else if (FX_UNLIKELY(c->statements != NULL && c->statements->part.len > 0)) {
		/* refused while it was waited for: what was put together of it is dropped with the rest */
		done = c->statements->part.len;
		rewrite_drop_part(c);
	} else if (verdict == VERDICT_SENT) {
		done = m->used;
		p += m->used;
		run->from = run->to = p;
	} else if (verdict == VERDICT_DROP) {
		relay_flush_run(run, p);
	} else if (m->split) {
		server_send(c->lease.server, m->hdr, WIRE_HEADER_LEN, NULL);
	} else {
		run->to = p;
	}
	c->left = m->length - 4 - (uint32_t)done;
	c->have = 0;
	return p;
}

/* One header.  Gives where reading goes on; *stop is set when it does not. */
static const uint8_t *relay_header(struct relay_run *run, const uint8_t *p, const uint8_t *end, bool *stop)
{
	struct client *c = run->c;
	const uint8_t *start = p;
	struct relay_message m = {.hdr = p, .split = c->have > 0 || end - p < WIRE_HEADER_LEN};
	enum request_verdict verdict;

	if (m.split) {
		relay_flush_run(run, p);
		while (c->have < WIRE_HEADER_LEN && p < end)
			c->hdr[c->have++] = *p++;
		run->from = run->to = p;
		if (c->have < WIRE_HEADER_LEN) {
			*stop = true;
			return p;
		}
		m.hdr = c->hdr;
	} else {
		p += WIRE_HEADER_LEN;
	}
	m.length = relay_length(m.hdr);
	if (FX_UNLIKELY(run->unnamed.body != NULL) && m.hdr[0] == FE_CLOSE)
		unnamed_keep(c, &run->unnamed); /* it may be what is closed */
	m.wanted = rewrite_wants(c, m.hdr[0]);
	/* what this message does to the client or its lease must not overtake the bytes before it */
	if (!m.split && (m.wanted || !relay_is_plain(m.hdr[0], m.length)))
		relay_flush_run(run, start);
	m.body = m.next = p;
	verdict = relay_check(c, m.hdr[0], m.length);
	if (verdict == VERDICT_FORWARD) {
		m.have = (size_t)(end - p) < m.length - 4 ? (size_t)(end - p) : m.length - 4;
		if (m.wanted && !relay_gather(run, &m))
			verdict = VERDICT_MORE;
		else
			verdict = relay_begin(run, &m);
	}
	switch (verdict) {
	case VERDICT_FORWARD:
	case VERDICT_SENT:
	case VERDICT_DROP:
		return relay_pass(run, &m, verdict);
	case VERDICT_WAIT:
		*stop = true;
		return m.split ? m.next : start;
	case VERDICT_MORE:
		*stop = true;
		return m.next;
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
	struct relay_run run = {.c = c, .chunk = chunk, .from = data, .to = data, .record = data};
	const uint8_t *p = data, *end = data + n;
	bool stop = false;

	/* a header that is whole but waits for its verdict is looked at even when no byte has come */
	while (!stop && (p < end || c->have == WIRE_HEADER_LEN)) {
		if (c->left == 0) {
			p = relay_header(&run, p, end, &stop);
			continue;
		}
		size_t take = (size_t)(end - p) < c->left ? (size_t)(end - p) : c->left;

		if (FX_UNLIKELY(c->is_teeing))
			unnamed_tee(c, p, take);
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
	if (FX_UNLIKELY(c->statements != NULL))
		record_add(c, run.record, (size_t)(p - run.record));
	if (FX_UNLIKELY(run.unnamed.body != NULL))
		unnamed_keep(c, &run.unnamed);
	return (size_t)(p - data);
}

size_t relay_on_bytes(struct client *c, struct chunk *chunk, const uint8_t *data, size_t n)
{
	size_t used;

	if (c->state == CLIENT_CONSOLE || c->state == CLIENT_COMMAND)
		return desk_on_bytes(c, data, n);
	c->is_stalled = false;
	c->is_relaying = true;
	used = relay_bytes(c, chunk, data, n);
	c->is_relaying = false;
	if (c->lease.state != LEASE_HELD)
		return used;
	if (server_is_full(c->lease.server))
		conn_pause(&c->conn, 0);
	/* the end of a message that nobody answers, such as CopyData that came too late */
	if (c->left == 0 && ((c->state == CLIENT_RUNNING && expect_is_quiet(&c->lease.server->expect)) ||
			     doubt_may_ask(c->lease.server)))
		conn_notify_empty(&c->lease.server->conn);
	return used;
}
