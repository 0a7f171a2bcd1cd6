/*
 * reader.c - what a server says: framing, expectations, and runs for the rider.
 *
 * The hot half of the relay.  A run is a piece of the slice that goes to the
 * rider as it is; it ends where a message is not for the client, or at the end.
 */
#include "server/reader.h"
#include "server/settle.h"

#include "base/cursor.h"
#include "base/log.h"
#include "proto/cmdtag.h"
#include "proto/errfields.h"
#include "server/cancel.h"
#include "server/login.h"
#include "server/rowshape.h"

#include <string.h>

#define READER_LENGTH_MAX UINT32_C(0x7ffffff0)
#define READER_SHORT_MAX UINT32_C(30000) /* as libpq has it */

struct reader_run {
	struct server *s;
	struct chunk *chunk;
	const uint8_t *from, *to;
};

static void reader_flush_run(struct reader_run *run, const uint8_t *next)
{
	struct server *s = run->s;

	if (run->to > run->from && s->rider_ops != NULL)
		s->rider_ops->on_reply(s, run->chunk, run->from, (size_t)(run->to - run->from));
	run->from = run->to = next;
}

/* The server ends here: whole messages in front of the end still go to the rider, so that what it was given ends
 * where a message ends. */
static void reader_flush_last(struct server *s)
{
	struct reader_run *run = s->reader.run;

	if (run != NULL)
		reader_flush_run(run, run->to);
}

static bool reader_is_on(const struct server *s)
{
	return s->state != SERVER_GONE && s->state != SERVER_CLOSING;
}

static void reader_violation(struct server *s, uint8_t type)
{
	reader_flush_last(s);
	if (!reader_is_on(s))
		return;
	s->expect.is_ambiguous = true; /* nothing that was owed can be told any more */
	server_log(s, LOG_WARNING, "server sent %s (0x%02x) where the protocol does not allow it",
		  wire_backend_name(type), type);
	if (s->state == SERVER_LOGIN)
		server_set_failure(s, SERVER_END_PROTOCOL, "08P01", "server broke the protocol during login");
	server_close(s, SERVER_END_PROTOCOL);
}

static void reader_error(struct server *s, const uint8_t *body, size_t n)
{
	struct errfields e;

	errfields_parse(body, n, &e);
	if (errfields_is_fatal(&e)) {
		s->has_spoken = true;
		server_log(s, LOG_WARNING, "server said: %s %s: %s", e.severity, e.sqlstate, e.message);
		s->has_told = s->rider_ops != NULL && (s->reader.mode & READER_RIDERS);
		if (s->failure.end == SERVER_END_NONE)
			server_set_failure(s, SERVER_END_FAREWELL, e.sqlstate, "%s", e.message);
	}
	if (s->state == SERVER_LOGIN)
		server_log(s, LOG_WARNING, "connect_query failed: %s: %s", e.sqlstate, e.message);
	if (s->rider_ops == NULL)
		s->is_odd = true;
	else if (!(s->reader.mode & READER_RIDERS) && !s->has_spoken)
		s->rider_ops->on_ours_failed(s, e.sqlstate, e.message);
}

static void reader_parameter(struct server *s, const uint8_t *body, size_t n)
{
	struct cursor at = cursor_over(body, n);
	const char *name = cursor_cstr(&at);
	const char *value = cursor_cstr(&at);

	if (at.bad || cursor_left(&at) != 0) {
		reader_violation(s, BE_PARAMETER_STATUS);
		return;
	}
	if (params_set(&s->params, name, value) < 0) {
		if (!s->has_many)
			server_log(s, LOG_WARNING, "server reports more parameters than we keep");
		s->has_many = true;
		/* beyond what is kept it is the server's own affair */
		if (params_get(&s->params, name) == NULL)
			return;
		/* a value that stays is not so any more: nobody else shall meet it */
		s->is_outdated = true;
	}
	if (s->rider_ops != NULL && (s->reader.mode & READER_RIDERS))
		s->rider_ops->on_parameter(s, name, value);
	else
		s->vars_hash = s->rider_ops != NULL ? s->vars_hash : UINT64_MAX;
}

static void reader_ready(struct server *s, const uint8_t *body, size_t n)
{
	char status = n == 1 ? (char)body[0] : 0;

	if (status != TRANSACTION_IDLE && status != TRANSACTION_OPEN && status != TRANSACTION_FAILED) {
		reader_violation(s, BE_READY_FOR_QUERY);
		return;
	}
	s->status = status;
	s->reader.saw_ready = true;
	if (s->rider_ops != NULL && (s->reader.mode & READER_RIDERS))
		s->rider_ops->on_ready(s, status);
	if (s->expect.count == 0) {
		s->known_batch = s->expect.batch;
		if (!s->expect.in_batch)
			s->request_since = 0;
	}
	if (status == TRANSACTION_IDLE && s->request_since == 0)
		s->xact_since = 0;
}

/* CommandComplete of a statement that may have undone what we know of the session */
static void reader_tag(struct server *s, const uint8_t *body, size_t n)
{
	const char *tag = cmdtag_text(body, n);

	if (tag == NULL)
		return;
	if (strcmp(tag, "DISCARD ALL") == 0 || strcmp(tag, "DEALLOCATE ALL") == 0)
		prepared_forget_all(&s->prepared);
	if (s->rider_ops != NULL && (s->reader.mode & READER_RIDERS))
		s->rider_ops->on_tag(s, tag);
}

static void reader_shape(struct server *s, uint64_t shape)
{
	prepared_tell_shape(&s->prepared, shape);
	if (s->rider_ops != NULL && (s->reader.mode & READER_RIDERS))
		s->rider_ops->on_shape(s, shape);
}

/* a message that is seen whole has come to its end */
static void reader_look(struct server *s, uint8_t type, const uint8_t *body, size_t n)
{
	if (s->state == SERVER_LOGIN && login_on_message(s, type, body, n))
		return;
	switch (type) {
	case BE_READY_FOR_QUERY:
		reader_ready(s, body, n);
		break;
	case BE_PARAMETER_STATUS:
		reader_parameter(s, body, n);
		break;
	case BE_ERROR_RESPONSE:
		reader_error(s, body, n);
		break;
	case BE_COMMAND_COMPLETE:
		reader_tag(s, body, n);
		break;
	case BE_ROW_DESCRIPTION:
		reader_shape(s, rowshape_of(body, n));
		break;
	case BE_NO_DATA:
		reader_shape(s, ROWSHAPE_NONE);
		break;
	default:
		break;
	}
}

/* the rider may have other words for these */
static bool reader_is_special(uint8_t type)
{
	return type == BE_ERROR_RESPONSE || type == BE_NOTIFICATION_RESPONSE || type == BE_PARAMETER_STATUS ||
	       type == BE_PARAMETER_DESCRIPTION;
}

static void reader_whole(struct server *s, uint8_t type, const uint8_t *body, size_t n)
{
	const void *rider = s->rider;

	reader_look(s, type, body, n);
	/* one that gave up at its ReadyForQuery may have been followed by the next */
	if ((s->reader.mode & READER_HELD) && s->rider_ops != NULL && s->rider == rider) {
		if (reader_is_special(type) && !s->has_spoken &&
		    s->rider_ops->on_special(s, type, body, n))
			return;
		s->rider_ops->on_reply(s, NULL, s->reader.hdr, WIRE_HEADER_LEN);
		if (n > 0)
			s->rider_ops->on_reply(s, NULL, body, n);
	}
}

static bool reader_is_whole_type(uint8_t type)
{
	return type == BE_READY_FOR_QUERY || type == BE_PARAMETER_STATUS || type == BE_ERROR_RESPONSE ||
	       type == BE_NOTIFICATION_RESPONSE || type == BE_PARAMETER_DESCRIPTION;
}

/* CommandComplete streams like any other, but for the few tags that reader_tag wants to see */
static int reader_tag_mode(int mode, const uint8_t *body, size_t have)
{
	if (have >= 3 && memcmp(body, "DIS", 3) != 0 && memcmp(body, "DEA", 3) != 0 && memcmp(body, "RES", 3) != 0 &&
	    memcmp(body, "SET", 3) != 0 && memcmp(body, "ALT", 3) != 0)
		return mode;
	return READER_WHOLE | (mode & READER_FORWARD ? READER_HELD : 0);
}

/* Kinds that may be longer than a few columns' worth; any other that declares so much shows that the framing is lost. */
static bool reader_may_be_long(uint8_t type)
{
	switch (type) {
	case BE_ROW_DESCRIPTION:
	case BE_PARAMETER_DESCRIPTION:
	case BE_DATA_ROW:
	case BE_COPY_DATA:
	case BE_FUNCTION_CALL_RESPONSE:
	case BE_ERROR_RESPONSE:
	case BE_NOTICE_RESPONSE:
	case BE_NOTIFICATION_RESPONSE:
	case BE_PARAMETER_STATUS:
		return true;
	default:
		return false;
	}
}

static bool reader_is_length(uint8_t type, uint32_t length)
{
	if (type == BE_READY_FOR_QUERY)
		return length == 5;
	return length >= 4 && (length <= READER_SHORT_MAX || (length <= READER_LENGTH_MAX && reader_may_be_long(type)));
}

/* The answer to a Describe of a statement that we know. */
static int reader_shape_mode(struct server *s, bool forward, uint32_t length)
{
	int mode = forward ? READER_FORWARD : 0;

	s->reader.wants_shape = false;
	if (length - 4 < READER_WHOLE_MAX)
		return READER_WHOLE | mode;
	/* too long to be looked into: such a one is told by its length */
	s->reader.mode = (uint8_t)mode;
	reader_shape(s, UINT64_MAX - length);
	return mode;
}

/* What to do with the message whose header is here; -1: the connection has ended. */
static int reader_begin(struct server *s, uint8_t type, uint32_t length)
{
	enum expect_verdict verdict;

	if (!reader_is_length(type, length)) {
		reader_violation(s, type);
		return -1;
	}
	if (s->state == SERVER_LOGIN && login_is_open(s)) {
		if (!login_may_receive(type, length - 4)) {
			reader_violation(s, type);
			return -1;
		}
		return READER_WHOLE;
	}
	if (FX_UNLIKELY(length - 4 > s->target->max_packet_size)) {
		server_log(s, LOG_WARNING, "server sent a message of %u bytes, more than max_packet_size", length - 4);
		reader_violation(s, type);
		return -1;
	}
	if (type == BE_ERROR_RESPONSE)
		s->prepared.has_failed = false; /* what failed before was for another rider, who did not wait for it */
	verdict = expect_reply(&s->expect, type);
	/* of START_REPLICATION, which no other connection may say */
	if (type == BE_COPY_BOTH_RESPONSE && s->target->replication == NULL)
		verdict = EXPECT_DESYNC;
	if (verdict == EXPECT_DESYNC) {
		reader_violation(s, type);
		return -1;
	}
	/* a farewell that answers no request: whether the client hears of it is up to the rider */
	if (verdict == EXPECT_FATAL ||
	    (type == BE_ERROR_RESPONSE && s->rider_ops != NULL && conn_written(&s->conn) == s->request_mark))
		verdict = EXPECT_SWALLOW;
	if (verdict == EXPECT_REPLACE)
		return s->rider_ops != NULL ? READER_PARSED : 0;
	if (type == BE_READY_FOR_QUERY && s->hides_ready)
		return READER_WHOLE;
	if (type == BE_READY_FOR_QUERY && s->holds_ready && verdict == EXPECT_FORWARD && s->rider_ops != NULL)
		return READER_WHOLE | READER_HELD;
	if (reader_is_whole_type(type)) {
		/* an error text beyond all measure is passed on, but not looked into */
		if (length - 4 > READER_WHOLE_MAX - 1)
			return verdict == EXPECT_SWALLOW || s->rider_ops == NULL ? 0 : READER_FORWARD;
		if (verdict == EXPECT_SWALLOW || s->rider_ops == NULL)
			return READER_WHOLE;
		return READER_WHOLE | (reader_is_special(type) ? READER_HELD : READER_FORWARD);
	}
	if (FX_UNLIKELY(s->reader.wants_shape))
		return reader_shape_mode(s, verdict != EXPECT_SWALLOW && s->rider_ops != NULL, length);
	return verdict == EXPECT_SWALLOW || s->rider_ops == NULL ? 0 : READER_FORWARD;
}

/* bytes of a body: counted, collected where the message must be seen whole */
static const uint8_t *reader_body(struct server *s, const uint8_t *p, const uint8_t *end)
{
	struct server_reader *r = &s->reader;
	size_t n = (size_t)(end - p) < r->left ? (size_t)(end - p) : r->left;

	if (r->mode & READER_WHOLE) {
		if (n == r->left && r->whole.len == 0) {
			r->left = 0;
			reader_whole(s, r->type, p, n);
			return p + n;
		}
		if (buf_append(&r->whole, p, n) < 0) {
			reader_flush_last(s);
			server_close(s, SERVER_END_NO_MEMORY);
			return p + n;
		}
	}
	r->left -= (uint32_t)n;
	if (r->left == 0 && (r->mode & READER_WHOLE)) {
		reader_whole(s, r->type, r->whole.data, r->whole.len);
		buf_fini(&r->whole);
	}
	return p + n;
}

static inline uint32_t reader_length(const uint8_t *hdr)
{
	return (uint32_t)hdr[1] << 24 | (uint32_t)hdr[2] << 16 | (uint32_t)hdr[3] << 8 | hdr[4];
}

/* A header, in the slice or put together from two.  NULL: more bytes are needed or the connection has ended. */
static const uint8_t *reader_header(struct server *s, struct reader_run *run, const uint8_t *p, const uint8_t *end)
{
	struct server_reader *r = &s->reader;
	const uint8_t *start = p, *hdr = p;
	bool split = r->have > 0 || end - p < WIRE_HEADER_LEN;
	int mode;

	if (split) {
		reader_flush_run(run, p);
		while (r->have < WIRE_HEADER_LEN && p < end)
			r->hdr[r->have++] = *p++;
		run->from = run->to = p;
		if (r->have < WIRE_HEADER_LEN)
			return NULL;
		r->have = 0;
		hdr = r->hdr;
	} else {
		p += WIRE_HEADER_LEN;
	}
	mode = reader_begin(s, hdr[0], reader_length(hdr));
	if (mode < 0)
		return NULL;
	if (hdr[0] == BE_COMMAND_COMPLETE)
		mode = reader_tag_mode(mode, p, (size_t)(end - p));
	/* of what must be looked into, nothing is passed on before that is done */
	if ((mode & READER_WHOLE) && (mode & READER_FORWARD) && (split || (size_t)(end - p) < reader_length(hdr) - 4))
		mode = READER_WHOLE | READER_HELD;
	if (mode & READER_HELD)
		memmove(r->hdr, hdr, WIRE_HEADER_LEN);
	r->type = hdr[0];
	r->mode = (uint8_t)mode;
	r->left = reader_length(hdr) - 4;
	if (!(mode & READER_FORWARD)) {
		run->to = split ? p : start;
		reader_flush_run(run, p);
		if (mode & READER_PARSED)
			s->rider_ops->on_parsed(s);
	} else if (split) {
		s->rider_ops->on_reply(s, NULL, hdr, WIRE_HEADER_LEN);
	} else if (!(mode & READER_WHOLE)) {
		run->to = p;
	}
	if (r->left == 0 && (mode & READER_WHOLE)) {
		reader_whole(s, r->type, p, 0);
		if (mode & READER_FORWARD)
			run->to = p;
	}
	return p;
}

size_t reader_on_bytes(struct conn *c, struct chunk *chunk, const uint8_t *data, size_t n)
{
	struct server *s = container_of(c, struct server, conn);
	struct reader_run run = {.s = s, .chunk = chunk, .from = data, .to = data};
	const uint8_t *p = data, *end = data + n;
	/* half a notice behind ReadyForQuery: what was quiet but for that is so now */
	bool was_torn = s->reader.left > 0 || s->reader.have > 0;

	s->reader.saw_ready = false;
	s->reader.run = &run;
	while (p < end && reader_is_on(s)) {
		if (s->reader.left == 0) {
			p = reader_header(s, &run, p, end);
			if (p == NULL)
				break;
		}
		if (s->reader.left > 0 && p < end && reader_is_on(s)) {
			p = reader_body(s, p, end);
			if (s->reader.mode & READER_FORWARD)
				run.to = p;
			else
				run.from = run.to = p;
		}
	}
	s->reader.run = NULL;
	if (!reader_is_on(s))
		return n;
	reader_flush_run(&run, end);
	if (FX_UNLIKELY(s->reader.saw_ready && !dlist_is_empty(&s->cancels)))
		cancel_proceed(s);
	if (reader_is_on(s) && (s->reader.saw_ready || (was_torn && s->expect.count == 0) || s->is_throttled || s->has_spoken || s->state != SERVER_ACTIVE))
		settle_server(s);
	return n;
}
