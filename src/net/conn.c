/*
 * conn.c - out-queue, kept bytes, and the life of a connection.
 *
 * Called by owners and engines on the loop's thread.  Knows no message and no
 * system call that moves bytes.  After a callback the conn may be closed, be
 * another connection already, or belong to another thread: loop->active tells.
 */
#include "net/conn.h"

#include "base/buf.h"
#include "base/mem.h"
#include "net/loop.h"
#include "net/outgo.h"
#include "net/tls.h"
#include "net/tlsout.h"

#include <errno.h>
#include <string.h>

#define CONN_SECURING_MAX ((size_t)16 * 1024) /* read at a time: it may have to be put aside */

static void conn_init(struct conn *c, struct loop *loop, const struct conn_ops *ops)
{
	memset(c, 0, sizeof(*c));
	c->loop = loop;
	c->ops = ops;
	c->fd = -1;
	dlist_init(&c->dirty);
}

int conn_open(struct conn *c, struct loop *loop, int fd, const struct conn_ops *ops)
{
	conn_init(c, loop, ops);
	c->fd = fd;
	c->is_open = c->has_engine_fd = true;
	if (loop->engine->attach(c) == 0)
		return 0;
	conn_close(c);
	return -1;
}

/* the engine's watching follows what the conn wants */
static void conn_watch(struct conn *c)
{
	if (c->has_engine_fd && !c->is_connecting && conn_wants_read(c) == c->is_stopped)
		c->loop->engine->interest(c);
}

static void conn_set_end(struct conn *c, enum conn_end end, int err)
{
	c->must_end = true;
	c->end_kind = (uint8_t)end;
	c->end_err = err;
	conn_watch(c);
	loop_mark_dirty(c->loop, c);
}

/* the owner's wish to read may have changed */
static void conn_update(struct conn *c)
{
	/* when writing has failed, reading was to tell the end: now it never would */
	if (c->is_open && c->is_write_dead && !c->has_ended && !c->must_end && !conn_wants_read(c))
		conn_set_end(c, CONN_END_RESET, EPIPE);
	else
		conn_watch(c);
}

static void conn_report_end(struct conn *c, enum conn_end end, int err)
{
	c->must_end = false;
	c->has_ended = true;
	conn_watch(c);
	c->ops->on_closed(c, end, err);
}

void conn_connect(struct conn *c, struct loop *loop, const struct addr *to, const char *path,
		  const struct conn_ops *ops)
{
	int err;

	conn_init(c, loop, ops);
	c->is_open = c->is_connecting = c->is_dialled = true;
	err = loop->engine->connect(c, to, path);
	if (err != 0)
		conn_set_end(c, CONN_END_CONNECT, err);
	else
		c->has_engine_fd = true;
}

void conn_connected(struct conn *c, int err)
{
	if (!c->is_open || !c->is_connecting)
		return;
	c->is_connecting = false;
	if (c->has_engine_fd)
		c->loop->engine->interest(c);
	if (err != 0) {
		c->is_write_dead = true;
		conn_report_end(c, CONN_END_CONNECT, err);
		return;
	}
	if (c->out_bytes > 0 || c->wants_shutdown)
		loop_mark_dirty(c->loop, c);
	c->ops->on_connected(c);
}

static void conn_drop_out(struct conn *c)
{
	outq_drop(&c->out, c->loop);
	if (c->tls != NULL)
		tlsout_drop(c);
	c->out_bytes = 0;
}

/* c is not, or not at present, this loop's: whoever called back into the owner leaves it alone */
static void conn_leave(struct conn *c)
{
	dlist_remove(&c->dirty);
	if (c->loop->active == c)
		c->loop->active = NULL;
	c->has_engine_fd = false;
}

static bool conn_may_write(const struct conn *c)
{
	return c->has_engine_fd && c->out_bytes > 0 && !c->is_blocked && !c->is_connecting && !c->is_write_dead;
}

/* the peer is to see that nobody has cut the end off */
static void conn_say_bye(struct conn *c)
{
	if (c->tls != NULL && c->out_bytes == 0 && !c->has_ended && tlsout_bye(c) && conn_may_write(c))
		c->loop->engine->flush(c);
}

void conn_close(struct conn *c)
{
	if (!c->is_open)
		return;
	CHECK(c->loop != NULL);
	conn_say_bye(c);
	c->is_open = c->must_end = false;
	if (c->has_engine_fd)
		c->loop->engine->close(c);
	conn_leave(c);
	c->fd = -1;
	conn_drop_out(c);
	if (c->tls != NULL)
		tls_free(c);
	kept_drop(&c->kept, c->loop);
}

void conn_detach(struct conn *c)
{
	CHECK(c->is_open && !c->is_connecting && c->out_bytes == 0 && c->kept.len == 0);
	CHECK(!c->must_end && !c->has_ended && !c->wants_shutdown);
	c->is_above_high = c->wants_empty = false;
	c->loop->engine->detach(c);
	conn_leave(c);
	c->loop = NULL;
}

int conn_attach(struct conn *c, struct loop *loop)
{
	CHECK(c->is_open && c->loop == NULL);
	c->loop = loop;
	c->has_engine_fd = true;
	c->is_paused = c->is_stopped = c->is_blocked = false;
	/* for what had arrived when it left the other one */
	loop_mark_dirty(loop, c);
	if (loop->engine->attach(c) == 0)
		return 0;
	conn_close(c);
	return -1;
}

static bool conn_drain_is_due(const struct conn *c)
{
	return (c->is_above_high && c->out_bytes <= CONN_LOW) || (c->wants_empty && c->out_bytes == 0);
}

/* the queue is emptier: somebody may wait for that */
static void conn_out_eased(struct conn *c)
{
	if (conn_drain_is_due(c) || (c->wants_shutdown && c->out_bytes == 0))
		loop_mark_dirty(c->loop, c);
}

void conn_send(struct conn *c, const void *data, size_t n, struct chunk *chunk)
{
	bool must_wait = c->is_blocked || c->is_connecting;

	if (!c->is_open || c->wants_shutdown || n == 0 || (c->is_write_dead && c->has_ended) || c->is_securing)
		return;
	if (must_wait && (chunk == NULL || n <= OUTQ_COPY_MAX) && outq_add_own(&c->out, c->loop, data, n))
		;
	else if (chunk != NULL)
		outq_add(&c->out, c->loop, data, n, chunk);
	else
		outq_add_copy(&c->out, c->loop, data, n);
	c->out_bytes += n;
	if (c->out_bytes >= CONN_HIGH)
		c->is_above_high = true;
	if (!must_wait)
		loop_mark_dirty(c->loop, c);
}

void conn_flush(struct conn *c)
{
	if (conn_may_write(c))
		c->loop->engine->push(c);
}

size_t conn_take_out(struct conn *c, struct buf *to)
{
	size_t n; /* when what is under way is known to be written or not */

	if (c->flying > 0)
		c->loop->engine->push(c);
	n = c->tls == NULL ? c->out_bytes : tlsout_untaken(c);
	if (n == 0 || buf_reserve(to, n) < 0 || outq_save(&c->out, to) < 0)
		return 0;
	conn_drop_out(c);
	if (c->is_blocked) {
		c->is_blocked = false;
		c->loop->engine->interest(c);
	}
	conn_out_eased(c);
	return n;
}

void conn_shutdown(struct conn *c)
{
	c->wants_shutdown = true;
	if (c->is_open && c->out_bytes == 0)
		loop_mark_dirty(c->loop, c);
}

static void conn_shut_if_due(struct conn *c)
{
	if (!c->wants_shutdown || c->is_shut || c->out_bytes > 0 || c->is_write_dead || c->is_connecting ||
	    !c->has_engine_fd)
		return;
	conn_say_bye(c);
	if (c->out_bytes > 0)
		return; /* its last word is still to be written */
	c->is_shut = true;
	c->loop->engine->shutdown(c);
}

void conn_notify_empty(struct conn *c)
{
	c->wants_empty = true;
	if (c->out_bytes == 0 && c->is_open)
		loop_mark_dirty(c->loop, c);
}

bool conn_wants_read(const struct conn *c)
{
	return c->is_open && !c->must_end && !c->has_ended && !c->is_late && !(c->is_paused && c->kept.len >= c->keep_limit);
}

size_t conn_read_max(const struct conn *c)
{
	if (!c->is_paused)
		return c->is_securing ? CONN_SECURING_MAX : SIZE_MAX;
	return c->kept.len < c->keep_limit ? c->keep_limit - c->kept.len : 0;
}

void conn_pause(struct conn *c, size_t keep_limit)
{
	c->is_paused = c->was_paused = true;
	c->keep_limit = (uint32_t)(keep_limit > KEPT_MAX / 2 ? KEPT_MAX / 2 : keep_limit);
	conn_update(c);
	if (c->must_end)
		loop_mark_dirty(c->loop, c);
}

void conn_resume(struct conn *c)
{
	if (!c->is_paused)
		return;
	c->is_paused = false;
	conn_update(c);
	if (c->is_open && (c->kept.len > 0 || c->must_end))
		loop_mark_dirty(c->loop, c);
}

int conn_unread(struct conn *c, const void *p, size_t n)
{
	CHECK(c->is_open && c->is_paused);
	if (n > 0 && kept_prepend(&c->kept, c->loop, p, n) < 0)
		return -1;
	conn_update(c);
	return 0;
}

static void conn_keep(struct conn *c, uint8_t *data, size_t n)
{
	bool has_gap = c->must_end && c->end_kind == CONN_END_RESET && c->end_err == ENOMEM;

	if (n == 0 || has_gap)
		return;
	if (kept_append(&c->kept, c->loop, data, n, c->is_private) < 0) {
		/* told at the end of this turn; nothing comes after the gap */
		conn_set_end(c, CONN_END_RESET, ENOMEM);
		return;
	}
	conn_update(c);
	if (!c->is_paused)
		loop_mark_dirty(c->loop, c);
}

/* Lends n bytes that lie in chunk.  false: c is not ours any more. */
static bool conn_deliver(struct conn *c, struct loop *loop, struct chunk *chunk, uint8_t *data, size_t n)
{
	size_t used;

	c->was_paused = c->is_paused;
	used = c->ops->on_bytes(c, chunk, data, n);
	if (loop->active != c)
		return false;
	CHECK(used == n || (used < n && c->was_paused));
	conn_keep(c, data + used, n - used);
	return true;
}

/* For the owner, or to be kept.  false: c is not ours any more. */
static bool conn_give(struct conn *c, struct chunk *chunk, uint8_t *data, size_t n)
{
	bool must_keep = c->is_paused || c->kept.len > 0, is_ours = true;
	struct loop *loop = c->loop;

	if (must_keep)
		conn_keep(c, data, n);
	else
		is_ours = conn_deliver(c, loop, chunk, data, n);
	if (chunk == loop->rx)
		loop_read_done(loop, n);
	return is_ours;
}

bool conn_take(struct conn *c, size_t n)
{
	return conn_give(c, c->loop->rx, c->loop->rx->data + c->loop->rx_pos, n);
}

void conn_input(struct conn *c, struct chunk *chunk, uint8_t *data, size_t n)
{
	struct loop *loop = c->loop;

	loop->active = c;
	if (c->tls != NULL)
		tls_input(c, chunk, data, n);
	else
		(void)conn_give(c, chunk, data, n);
	loop->active = NULL;
}

void conn_end_later(struct conn *c, enum conn_end end)
{
	if (c->is_open && !c->has_ended && !c->must_end)
		conn_set_end(c, end, 0);
}

void conn_input_end(struct conn *c, enum conn_end end, int err)
{
	if (!c->is_open || c->has_ended || c->must_end)
		return;
	/* what was kept comes before the end, unless the owner is not reading: then it must know now */
	if (!c->is_paused && c->kept.len > 0)
		conn_set_end(c, end, err);
	else
		conn_report_end(c, end, err);
}

/* Takes the kept bytes off the conn, since the owner may put others in their place (conn_unread).  false: c is not
 * ours any more. */
static bool conn_deliver_kept(struct conn *c, struct loop *loop)
{
	struct kept kept = c->kept;
	size_t room, n;
	uint8_t *to = loop_read_room(loop, &room);
	bool is_ours;

	n = kept.len < room ? kept.len : room;
	memcpy(to, kept.data, n);
	c->kept = (struct kept){.data = NULL};
	is_ours = conn_deliver(c, loop, loop->rx, to, n);
	loop_read_done(loop, n);
	if (is_ours)
		conn_keep(c, kept.data + n, kept.len - n);
	kept_drop(&kept, loop);
	return is_ours;
}

static bool conn_end_is_due(const struct conn *c)
{
	return c->must_end &&
	       !(c->end_kind == CONN_END_EOF && c->is_paused && c->keep_limit == 0 && c->kept.len > 0);
}

void conn_settle(struct conn *c)
{
	struct loop *loop = c->loop;

	loop->active = c;
	while (!c->is_paused && c->kept.len > 0)
		if (!conn_deliver_kept(c, loop))
			return;
	if (conn_may_write(c))
		loop->engine->flush(c);
	conn_shut_if_due(c);
	if (conn_drain_is_due(c)) {
		c->is_above_high = false;
		if (c->out_bytes == 0)
			c->wants_empty = false;
		c->ops->on_drained(c);
		if (loop->active != c)
			return;
	}
	if (conn_end_is_due(c))
		conn_report_end(c, (enum conn_end)c->end_kind, c->end_err);
	loop->active = NULL;
}

void conn_output_done(struct conn *c, size_t n)
{
	CHECK(n <= c->out_bytes);
	c->out_bytes -= n;
	c->written += n;
	outgo_consume(c, n);
	conn_out_eased(c);
}

void conn_output_failed(struct conn *c, int err)
{
	c->is_write_dead = true;
	c->is_blocked = false;
	if (c->has_ended) {
		/* nobody waits for an end any more, only for the queue */
		conn_drop_out(c);
		conn_out_eased(c);
	} else if (!conn_wants_read(c) || (err != EPIPE && err != ECONNRESET)) {
		if (!c->must_end)
			conn_set_end(c, CONN_END_RESET, err);
	}
	/* else the peer may have said why before it went: reading tells that, and the end */
	c->loop->engine->interest(c);
}
