/*
 * server.c - the life of one connection to PostgreSQL.
 *
 * Called by pool (owner), session (rider) and the loop, on the owning worker.
 */
#include "server/server.h"

#include "auth/serverauth.h"
#include "base/mem.h"
#include "base/str.h"
#include "proto/frontend.h"
#include "server/cancel.h"
#include "server/clean.h"
#include "server/login.h"
#include "server/owed.h"
#include "server/reader.h"
#include "server/settle.h"

#include <stdio.h>
#include <string.h>

#define SERVER_CLOSE_WAIT_US (UINT64_C(5) * 1000000)

#define SS(id) (1u << SERVER_##id)
static const unsigned server_entries[SERVER_STATE_COUNT] = {
#define SERVER_STATE(id, word, from) [SERVER_##id] = from,
#include "server/server_state.def"
#undef SERVER_STATE
};
#undef SS

static const char *const server_words[SERVER_STATE_COUNT] = {
#define SERVER_STATE(id, word, from) [SERVER_##id] = word,
#include "server/server_state.def"
#undef SERVER_STATE
};

static const char *const server_end_texts[SERVER_END_COUNT] = {
#define SERVER_END(id, text) [SERVER_END_##id] = text,
#include "server/server_end.def"
#undef SERVER_END
};

const char *server_state_word(enum server_state state)
{
	return server_words[state];
}

const char *server_end_text(enum server_end end)
{
	return server_end_texts[end];
}

bool server_may_enter(enum server_state from, enum server_state to)
{
	return (server_entries[to] & (1u << from)) != 0;
}

void server_enter(struct server *s, enum server_state state)
{
	CHECK(server_may_enter((enum server_state)s->state, state));
	timeout_disarm(&s->deadline);
	s->state = (uint8_t)state;
	if (state == SERVER_CONNECTING || state == SERVER_RESOLVING || state == SERVER_LOGIN)
		loop_arm(s->loop, &s->deadline, s->target->connect_timeout);
	else if (state == SERVER_CLEANING)
		loop_arm(s->loop, &s->deadline, s->target->clean_timeout);
	else if (state == SERVER_CLOSING)
		loop_arm(s->loop, &s->deadline, SERVER_CLOSE_WAIT_US);
	else if (state == SERVER_IDLE)
		s->idle_since = loop_now(s->loop);
}

void server_set_failure(struct server *s, enum server_end end, const char *sqlstate, const char *fmt, ...)
{
	va_list ap;

	s->failure.end = end;
	str_copy(s->failure.sqlstate, sizeof(s->failure.sqlstate), sqlstate);
	va_start(ap, fmt);
	vsnprintf(s->failure.message, sizeof(s->failure.message), fmt, ap);
	va_end(ap);
}

void server_log(const struct server *s, enum log_level level, const char *fmt, ...)
{
	char context[256], addr[ADDR_TEXT_MAX];
	va_list ap;

	if (!log_is_on(level))
		return;
	addr_format(&s->remote, addr, sizeof(addr));
	snprintf(context, sizeof(context), "S-0x%llx: %.140s@%s:%u", (unsigned long long)s->id, s->target->name, addr,
		 s->target->port);
	va_start(ap, fmt);
	log_vwrite(level, context, level == LOG_LOG, fmt, ap);
	va_end(ap);
}

static bool server_was_ready(const struct server *s)
{
	return s->state != SERVER_NEW && s->state != SERVER_RESOLVING && s->state != SERVER_CONNECTING &&
	       s->state != SERVER_LOGIN;
}

static void server_tell_rider(struct server *s, enum server_end why)
{
	const struct server_rider_ops *ops = s->rider_ops;

	if (ops == NULL)
		return;
	ops->on_lost(s, why, s->has_told);
	s->rider_ops = NULL;
	s->rider = NULL;
}

void server_lost(struct server *s, enum server_end why)
{
	bool was_ready = server_was_ready(s);

	if (s->state == SERVER_GONE)
		return;
	if (s->end == SERVER_END_NONE)
		s->end = (uint8_t)why;
	server_tell_rider(s, why);
	if (s->state != SERVER_CLOSING && was_ready)
		s->owner_ops->on_ending(s, why);
	else if (s->state != SERVER_CLOSING)
		s->owner_ops->on_failed(s, &s->failure);
	cancel_forget(s);
	resolve_forget(&s->resolve);
	passsource_forget(&s->asked);
	login_forget(s);
	server_enter(s, SERVER_GONE);
	conn_close(&s->conn);
	s->owner_ops->on_gone(s);
}

void server_close(struct server *s, enum server_end why)
{
	/* a rider may be in the middle of a message: what we say then would become the rest of it */
	bool may_speak = s->state != SERVER_ACTIVE && why != SERVER_END_UNCLEAN;
	bool was_ready;
	struct buf out;

	if (s->state == SERVER_CLOSING || s->state == SERVER_GONE)
		return;
	if (s->failure.end == SERVER_END_NONE)
		server_set_failure(s, why, "", "%s", server_end_text(why));
	if (!server_was_ready(s) && s->state != SERVER_LOGIN) {
		server_lost(s, why);
		return;
	}
	was_ready = server_was_ready(s);
	s->end = (uint8_t)why;
	server_tell_rider(s, why);
	if (was_ready)
		s->owner_ops->on_ending(s, why);
	else
		s->owner_ops->on_failed(s, &s->failure);
	/* what still runs would keep PostgreSQL from noticing that we leave */
	if (was_ready && !s->has_spoken && owed_may_cancel(&s->expect))
		(void)cancel_start(s, NULL, NULL);
	server_enter(s, SERVER_CLOSING);
	buf_init(&out, 0);
	if (was_ready && may_speak && frontend_terminate(&out) == 0)
		conn_send(&s->conn, out.data, out.len, NULL);
	buf_fini(&out);
	conn_resume(&s->conn);
	conn_shutdown(&s->conn);
}

static void server_on_deadline(struct timeout *t)
{
	struct server *s = container_of(t, struct server, deadline);

	switch (s->state) {
	case SERVER_RESOLVING:
	case SERVER_CONNECTING:
	case SERVER_LOGIN:
		server_set_failure(s, SERVER_END_CONNECT_TIMEOUT, "08001", "connect timeout");
		server_close(s, SERVER_END_CONNECT_TIMEOUT);
		break;
	case SERVER_TESTING:
		server_close(s, SERVER_END_PING_FAILED);
		break;
	case SERVER_CLEANING:
		server_close(s, SERVER_END_CLEAN_TIMEOUT);
		break;
	default:
		server_lost(s, (enum server_end)s->end);
		break;
	}
}

static void server_on_closed(struct conn *c, enum conn_end end, int err)
{
	struct server *s = container_of(c, struct server, conn);

	if (end == CONN_END_CONNECT) {
		server_set_failure(s, SERVER_END_CONNECT_FAILED, "08001", "connect failed: %s", strerrordesc_np(err));
		server_lost(s, SERVER_END_CONNECT_FAILED);
	} else if (s->state == SERVER_LOGIN && login_falls_back(s)) {
		return;
	} else if (s->state == SERVER_LOGIN) {
		if (s->failure.end == SERVER_END_NONE)
			server_set_failure(s, SERVER_END_LOGIN_FAILED, "08006",
					   "server closed the connection during login");
		server_lost(s, SERVER_END_LOGIN_FAILED);
	} else {
		server_lost(s, s->has_spoken ? SERVER_END_FAREWELL : SERVER_END_CRASHED);
	}
}

static void server_on_drained(struct conn *c)
{
	settle_server(container_of(c, struct server, conn));
}

const struct conn_ops server_conn_ops = {
	.on_bytes = reader_on_bytes,
	.on_drained = server_on_drained,
	.on_closed = server_on_closed,
};

static void server_on_op(struct expect *e, uint8_t flags, enum expect_outcome outcome)
{
	struct server *s = container_of(e, struct server, expect);

	s->reader.wants_shape = (flags & EXPECT_KIND) == EXPECT_DESCRIBE && outcome == EXPECT_DONE;
	if (flags & EXPECT_NOTED)
		prepared_ended(&s->prepared, outcome);
	if ((flags & EXPECT_TOLD) && s->rider_ops != NULL)
		s->rider_ops->on_told(s, outcome);
}

struct server *server_new(struct loop *loop, struct target *target, struct scram_cache *cache,
			  const struct server_owner_ops *ops, void *owner)
{
	struct server *s = mem_object_new(MEM_SERVER, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->loop = loop;
	s->target = target_ref(target);
	s->scram_cache = cache;
	s->owner_ops = ops;
	s->owner = owner;
	s->status = TRANSACTION_IDLE;
	expect_init(&s->expect);
	s->expect.on_op = server_on_op;
	prepared_init(&s->prepared);
	params_init(&s->params);
	params_init(&s->base);
	params_init(&s->loose);
	params_init(&s->was_loose);
	buf_init(&s->reader.whole, READER_WHOLE_MAX);
	dlist_init(&s->link);
	dlist_init(&s->cancels);
	timeout_init(&s->deadline, server_on_deadline);
	s->conn.fd = -1;
	s->host = target_next_host(target);
	return s;
}

static void server_destroy(struct loop_grave *grave)
{
	struct server *s = container_of(grave, struct server, grave);

	mem_object_free(MEM_SERVER, s, sizeof(*s));
}

void server_free(struct server *s)
{
	CHECK(s->state == SERVER_GONE && !s->conn.is_open);
	timeout_disarm(&s->deadline);
	dlist_remove(&s->link);
	expect_fini(&s->expect);
	prepared_fini(&s->prepared);
	params_fini(&s->params);
	params_fini(&s->base);
	params_fini(&s->loose);
	params_fini(&s->was_loose);
	buf_fini(&s->reader.whole);
	serverauth_free(s->auth);
	s->auth = NULL;
	secret_drop(&s->key);
	mem_free(s->text);
	s->text = NULL;
	target_unref(s->target);
	loop_defer_free(s->loop, &s->grave, server_destroy);
}

bool server_is_quiet(const struct server *s)
{
	return s->status == TRANSACTION_IDLE && expect_is_quiet(&s->expect) && s->reader.left == 0 &&
	       s->reader.have == 0 && conn_out_pending(&s->conn) == 0 && !conn_has_kept(&s->conn) &&
	       dlist_is_empty(&s->cancels) && !s->has_spoken && !s->conn.is_write_dead;
}

bool server_is_mid_reply(const struct server *s)
{
	return s->reader.left > 0 && (s->reader.mode & READER_FORWARD) != 0;
}

void server_ride(struct server *s, const struct server_rider_ops *ops, void *rider)
{
	CHECK(s->state == SERVER_IDLE && s->rider_ops == NULL);
	server_enter(s, SERVER_ACTIVE);
	s->rider_ops = ops;
	s->rider = rider;
	s->was_used = true;
	s->has_told = false;
	s->hides_ready = false;
	s->request_mark = conn_written(&s->conn);
}

void server_dismount(struct server *s)
{
	CHECK(s->state == SERVER_ACTIVE && server_is_quiet(s));
	s->rider_ops = NULL;
	s->rider = NULL;
	s->is_throttled = false;
	conn_resume(&s->conn);
	server_enter(s, SERVER_IDLE);
}

static int server_expect(struct server *s, uint8_t type, uint8_t flags)
{
	int rc = expect_request_noted(&s->expect, type, flags);

	if (rc < 0)
		server_close(s, SERVER_END_NO_MEMORY);
	return rc;
}

int server_note_flagged(struct server *s, uint8_t type, uint8_t flags)
{
	if (s->request_since == 0 && expect_kind_of(type) != EXPECT_NONE) {
		s->request_since = loop_now(s->loop);
		s->request_no++;
		if (s->xact_since == 0)
			s->xact_since = s->request_since;
	}
	return server_expect(s, type, flags);
}

bool server_note(struct server *s, uint8_t type)
{
	return server_note_flagged(s, type, s->state != SERVER_ACTIVE ? EXPECT_OURS : 0) >= 0;
}

bool server_note_ours(struct server *s, uint8_t type)
{
	return server_expect(s, type, EXPECT_OURS) >= 0;
}

void server_send(struct server *s, const void *data, size_t n, struct chunk *chunk)
{
	conn_send(&s->conn, data, n, chunk);
}

bool server_is_full(struct server *s)
{
	if (conn_out_pending(&s->conn) < CONN_HIGH && s->expect.count < EXPECT_HIGH)
		return false;
	s->is_throttled = true;
	return true;
}

void server_note_text(struct server *s, const void *text, size_t n)
{
	if (s->text == NULL)
		return;
	if (n > s->text_size)
		n = s->text_size;
	memcpy(s->text, text, n);
	s->text_len = (uint32_t)n;
}

int server_say(struct server *s, struct buf *out)
{
	int rc = out->bad ? -1 : 0;

	if (rc == 0)
		conn_send(&s->conn, out->data, out->len, NULL);
	else
		server_close(s, SERVER_END_NO_MEMORY);
	buf_fini(out);
	return rc;
}

void server_detach(struct server *s)
{
	/* not server_is_quiet: a notice may have come in part, the rest is read by the next worker */
	CHECK(s->rider_ops == NULL && s->status == TRANSACTION_IDLE && expect_is_quiet(&s->expect) &&
	      dlist_is_empty(&s->cancels));
	server_enter(s, SERVER_MOVING);
	dlist_remove(&s->link);
	conn_detach(&s->conn);
	s->loop = NULL;
	s->scram_cache = NULL;
}

int server_attach(struct server *s, struct loop *loop, struct scram_cache *cache)
{
	s->loop = loop;
	s->scram_cache = cache;
	if (conn_attach(&s->conn, loop) < 0) {
		server_lost(s, SERVER_END_NO_MEMORY);
		return -1;
	}
	server_enter(s, SERVER_IDLE);
	return 0;
}
