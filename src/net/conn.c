/*
 * conn.c - out-queue, kept bytes, and the life of a connection.
 *
 * Called by owners and engines on the loop's thread.  Knows no message and no
 * system call that moves bytes.
 */
#include "net/conn.h"

#include "base/buf.h"
#include "base/mem.h"
#include "net/loop.h"

#include <errno.h>
#include <string.h>
#include <sys/uio.h>

struct conn_seg {
	struct conn_seg *next; /* first: loop_fini frees by it */
	struct chunk *chunk;   /* NULL: own is freed instead */
	uint8_t *own;
	const uint8_t *data;
	size_t len;
};

#define CONN_SEG_KEEP 1024
#define CONN_UNREAD_MAX ((size_t)1 << 30)
#define CONN_COMPACT_MAX ((size_t)8 * 1024) /* a blocked queue up to this is copied, to let go of its chunks */

static struct conn_seg *conn_seg_new(struct loop *loop)
{
	struct conn_seg *seg = loop->free_segs;

	if (seg == NULL)
		return mem_alloc(sizeof(*seg));
	loop->free_segs = seg->next;
	loop->free_seg_count--;
	return seg;
}

static void conn_seg_free(struct loop *loop, struct conn_seg *seg)
{
	if (seg->chunk != NULL)
		chunk_unref(seg->chunk);
	else
		mem_free(seg->own);
	if (loop->free_seg_count >= CONN_SEG_KEEP) {
		mem_free(seg);
		return;
	}
	seg->next = loop->free_segs;
	loop->free_segs = seg;
	loop->free_seg_count++;
}

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

static void conn_set_end(struct conn *c, enum conn_end end, int err)
{
	c->must_end = true;
	c->end_kind = (uint8_t)end;
	c->end_err = err;
	loop_mark_dirty(c->loop, c);
}

void conn_connect(struct conn *c, struct loop *loop, const struct addr *to, const char *path,
		  const struct conn_ops *ops)
{
	int err;

	conn_init(c, loop, ops);
	c->is_open = c->is_connecting = true;
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
	if (err != 0) {
		c->ops->on_closed(c, CONN_END_CONNECT, err);
		return;
	}
	if (c->out_bytes > 0 || c->wants_shutdown)
		loop_mark_dirty(c->loop, c);
	c->ops->on_connected(c);
}

static void conn_drop_out(struct conn *c)
{
	while (c->out_head != NULL) {
		struct conn_seg *seg = c->out_head;

		c->out_head = seg->next;
		conn_seg_free(c->loop, seg);
	}
	c->out_tail = NULL;
	c->out_bytes = 0;
}

static void conn_drop_kept(struct conn *c)
{
	if (c->kept == NULL)
		return;
	if (c->kept_cap == LOOP_BLOCK_SIZE)
		loop_block_give(c->loop, c->kept);
	else
		mem_free(c->kept);
	c->kept = NULL;
	c->kept_len = c->kept_cap = 0;
}

void conn_close(struct conn *c)
{
	if (!c->is_open)
		return;
	c->is_open = false;
	c->must_end = false;
	dlist_remove(&c->dirty);
	if (c->has_engine_fd)
		c->loop->engine->close(c);
	c->has_engine_fd = false;
	c->fd = -1;
	conn_drop_out(c);
	conn_drop_kept(c);
}

void conn_detach(struct conn *c)
{
	CHECK(c->is_open && !c->is_connecting && c->out_bytes == 0 && c->kept_len == 0 && !c->must_end);
	dlist_remove(&c->dirty);
	c->loop->engine->detach(c);
	c->has_engine_fd = false;
	c->loop = NULL;
}

int conn_attach(struct conn *c, struct loop *loop)
{
	CHECK(c->is_open && c->loop == NULL);
	c->loop = loop;
	c->has_engine_fd = true;
	c->is_paused = c->is_stopped = c->is_blocked = false;
	return loop->engine->attach(c);
}

static void conn_append(struct conn *c, const uint8_t *data, size_t n, struct chunk *chunk)
{
	struct conn_seg *tail = c->out_tail;

	if (tail != NULL && tail->chunk == chunk && tail->data + tail->len == data) {
		tail->len += n;
		return;
	}
	tail = conn_seg_new(c->loop);
	*tail = (struct conn_seg){.chunk = chunk, .data = data, .len = n};
	chunk_ref(chunk);
	if (c->out_tail != NULL)
		c->out_tail->next = tail;
	else
		c->out_head = tail;
	c->out_tail = tail;
}

static void conn_append_copy(struct conn *c, const uint8_t *data, size_t n)
{
	struct loop *loop = c->loop;

	while (n > 0) {
		size_t fit;

		if (loop->tx != NULL && loop->tx_pos == CHUNK_SIZE) {
			chunk_unref(loop->tx);
			loop->tx = NULL;
		}
		if (loop->tx == NULL) {
			loop->tx = chunk_new(&loop->chunks);
			loop->tx_pos = 0;
		}
		fit = CHUNK_SIZE - loop->tx_pos;
		if (fit > n)
			fit = n;
		memcpy(loop->tx->data + loop->tx_pos, data, fit);
		conn_append(c, loop->tx->data + loop->tx_pos, fit, loop->tx);
		loop->tx_pos += fit;
		data += fit;
		n -= fit;
	}
}

void conn_send(struct conn *c, const void *data, size_t n, struct chunk *chunk)
{
	if (!c->is_open || c->is_write_dead || c->wants_shutdown || n == 0)
		return;
	if (chunk != NULL)
		conn_append(c, data, n, chunk);
	else
		conn_append_copy(c, data, n);
	c->out_bytes += n;
	if (c->out_bytes >= CONN_HIGH)
		c->is_above_high = true;
	if (!c->is_blocked)
		loop_mark_dirty(c->loop, c);
}

void conn_flush(struct conn *c)
{
	if (c->is_open && c->out_bytes > 0 && !c->is_blocked && !c->is_connecting)
		c->loop->engine->flush(c);
}

static bool conn_drain_is_due(const struct conn *c)
{
	return (c->is_above_high && c->out_bytes <= CONN_LOW) || (c->wants_empty && c->out_bytes == 0);
}

size_t conn_take_out(struct conn *c, struct buf *to)
{
	size_t n = c->out_bytes;

	if (!c->is_open || n == 0 || buf_reserve(to, n) < 0)
		return 0;
	for (const struct conn_seg *seg = c->out_head; seg != NULL; seg = seg->next)
		if (buf_append(to, seg->data, seg->len) < 0)
			return 0;
	conn_drop_out(c);
	if (conn_drain_is_due(c) || c->wants_shutdown)
		loop_mark_dirty(c->loop, c);
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
	if (!c->wants_shutdown || c->is_shut || c->is_write_dead || c->is_connecting || c->out_bytes > 0 ||
	    !c->has_engine_fd)
		return;
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
	return c->is_open && !(c->is_paused && c->kept_len >= c->keep_limit);
}

void conn_pause(struct conn *c, size_t keep_limit)
{
	c->is_paused = true;
	c->keep_limit = keep_limit > UINT32_MAX ? UINT32_MAX : (uint32_t)keep_limit;
	if (c->is_open && !c->is_connecting && !conn_wants_read(c) && !c->is_stopped)
		c->loop->engine->interest(c);
}

void conn_resume(struct conn *c)
{
	if (!c->is_paused)
		return;
	c->is_paused = false;
	if (!c->is_open || c->is_connecting)
		return;
	if (c->is_stopped)
		c->loop->engine->interest(c);
	if (c->kept_len > 0 || c->must_end)
		loop_mark_dirty(c->loop, c);
}

static bool conn_keep_room(struct conn *c, size_t n)
{
	size_t need = c->kept_len + n, cap;
	uint8_t *p;

	if (need <= c->kept_cap)
		return true;
	if (need <= LOOP_BLOCK_SIZE && c->kept == NULL) {
		c->kept = loop_block_take(c->loop);
		c->kept_cap = c->kept != NULL ? LOOP_BLOCK_SIZE : 0;
		return c->kept != NULL;
	}
	/* n is never more than was read at once, so this is bounded by keep_limit + a chunk */
	cap = (need + 4095) & ~(size_t)4095;
	p = mem_try_alloc(cap);
	if (p == NULL)
		return false;
	if (c->kept_len > 0)
		memcpy(p, c->kept, c->kept_len);
	need = c->kept_len;
	conn_drop_kept(c);
	c->kept = p;
	c->kept_len = (uint32_t)need;
	c->kept_cap = (uint32_t)cap;
	return true;
}

int conn_unread(struct conn *c, const void *p, size_t n)
{
	CHECK(c->is_open && c->is_paused);
	if (n == 0)
		return 0;
	if (n > CONN_UNREAD_MAX || !conn_keep_room(c, n))
		return -1;
	memmove(c->kept + n, c->kept, c->kept_len);
	memcpy(c->kept, p, n);
	c->kept_len += (uint32_t)n;
	if (!conn_wants_read(c) && !c->is_stopped && !c->is_connecting)
		c->loop->engine->interest(c);
	return 0;
}

static void conn_keep(struct conn *c, const uint8_t *data, size_t n)
{
	if (!conn_keep_room(c, n)) {
		conn_set_end(c, CONN_END_RESET, ENOMEM);
		return;
	}
	memcpy(c->kept + c->kept_len, data, n);
	c->kept_len += (uint32_t)n;
	if (!conn_wants_read(c) && !c->is_stopped)
		c->loop->engine->interest(c);
}

void conn_input(struct conn *c, size_t n)
{
	struct loop *loop = c->loop;
	struct chunk *rx = loop->rx;
	const uint8_t *data = rx->data + loop->rx_pos;

	if (c->is_paused || c->kept_len > 0) {
		conn_keep(c, data, n);
		if (!c->is_paused)
			loop_mark_dirty(loop, c);
		return;
	}
	size_t used = c->ops->on_bytes(c, rx, data, n);

	if (used < n && c->is_open) {
		CHECK(c->is_paused);
		conn_keep(c, data + used, n - used);
	}
	if (rx->refs > 1)
		loop->rx_pos += n;
}

void conn_input_end(struct conn *c, enum conn_end end, int err)
{
	if (!c->is_open)
		return;
	/* what was kept comes before the end, unless the owner is not reading: then it must know now */
	if (!c->is_paused && c->kept_len > 0) {
		conn_set_end(c, end, err);
		return;
	}
	c->ops->on_closed(c, end, err);
}

static void conn_deliver_kept(struct conn *c)
{
	size_t room, n, used;
	uint8_t *to = loop_read_room(c->loop, &room);
	struct chunk *rx = c->loop->rx;

	n = c->kept_len < room ? c->kept_len : room;
	memcpy(to, c->kept, n);
	c->kept_len -= (uint32_t)n;
	if (c->kept_len > 0)
		memmove(c->kept, c->kept + n, c->kept_len);
	else
		conn_drop_kept(c);
	used = c->ops->on_bytes(c, rx, to, n);
	if (rx->refs > 1)
		c->loop->rx_pos += n;
	if (!c->is_open || used == n)
		return;
	CHECK(c->is_paused);
	if (!conn_keep_room(c, n - used)) {
		conn_set_end(c, CONN_END_RESET, ENOMEM);
		return;
	}
	if (c->kept_len > 0)
		memmove(c->kept + (n - used), c->kept, c->kept_len);
	memcpy(c->kept, to + used, n - used);
	c->kept_len += (uint32_t)(n - used);
}

void conn_settle(struct conn *c)
{
	if (!c->is_open)
		return;
	while (c->is_open && !c->is_paused && c->kept_len > 0)
		conn_deliver_kept(c);
	if (!c->is_open)
		return;
	if (c->is_stopped && conn_wants_read(c) && !c->is_connecting && !c->must_end)
		c->loop->engine->interest(c);
	conn_flush(c);
	conn_shut_if_due(c);
	if (c->is_open && conn_drain_is_due(c)) {
		c->is_above_high = false;
		if (c->out_bytes == 0)
			c->wants_empty = false;
		c->ops->on_drained(c);
	}
	if (c->is_open && c->must_end && (!c->is_paused || c->end_kind != CONN_END_EOF || c->kept_len == 0)) {
		c->must_end = false;
		dlist_remove(&c->dirty);
		c->ops->on_closed(c, (enum conn_end)c->end_kind, c->end_err);
	}
}

void conn_output_done(struct conn *c, size_t n)
{
	CHECK(n <= c->out_bytes);
	c->out_bytes -= n;
	c->written += n;
	while (n > 0) {
		struct conn_seg *seg = c->out_head;

		if (n < seg->len) {
			seg->data += n;
			seg->len -= n;
			break;
		}
		n -= seg->len;
		c->out_head = seg->next;
		if (c->out_head == NULL)
			c->out_tail = NULL;
		conn_seg_free(c->loop, seg);
	}
	if (conn_drain_is_due(c) || (c->wants_shutdown && c->out_bytes == 0))
		loop_mark_dirty(c->loop, c);
}

void conn_output_failed(struct conn *c, int err)
{
	/* the peer may have said why before it went: reading tells, if we read */
	c->is_write_dead = true;
	c->is_blocked = false;
	conn_drop_out(c);
	if (!conn_wants_read(c))
		conn_set_end(c, CONN_END_RESET, err);
	else if (c->wants_empty)
		loop_mark_dirty(c->loop, c);
}

int conn_out_vectors(const struct conn *c, struct iovec *vec, int max)
{
	int n = 0;

	for (const struct conn_seg *seg = c->out_head; seg != NULL && n < max; seg = seg->next, n++) {
		union {
			const uint8_t *from;
			void *to;
		} base = {.from = seg->data};

		vec[n] = (struct iovec){.iov_base = base.to, .iov_len = seg->len};
	}
	return n;
}

void conn_compact(struct conn *c)
{
	struct conn_seg *seg;
	uint8_t *own;
	size_t at = 0;

	if (c->out_bytes == 0 || c->out_bytes > CONN_COMPACT_MAX || c->out_head->chunk == NULL)
		return;
	own = mem_try_alloc(c->out_bytes);
	if (own == NULL)
		return;
	for (seg = c->out_head; seg != NULL; seg = seg->next) {
		memcpy(own + at, seg->data, seg->len);
		at += seg->len;
	}
	conn_drop_out(c);
	seg = conn_seg_new(c->loop);
	*seg = (struct conn_seg){.own = own, .data = own, .len = at};
	c->out_head = c->out_tail = seg;
	c->out_bytes = at;
}
