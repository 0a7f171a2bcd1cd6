/*
 * inflow.c - bytes from the kernel to conns, for the io_uring engine.
 *
 * What was received and is not wanted now (its conn is paused) is held, in order, with
 * the end behind it: the conn sees what it would see if it had been left in the kernel.
 */
#include "net/engine_uring.h"

#include "net/stray.h"

#include <errno.h>
#include <sys/socket.h>

#define INFLOW_FLOOD 3 /* full buffers in a row: from then on big pieces are read */

/* Lends the chunk's first part, as much as c may have. */
static void inflow_lend(struct conn *c, struct chunk *chunk)
{
	uint8_t *data = chunk->data + chunk->from;
	size_t n = conn_read_max(c);

	if (n > chunk->len)
		n = chunk->len;
	chunk->from += (uint32_t)n;
	chunk->len -= (uint32_t)n;
	conn_input(c, chunk, data, n);
}

void inflow_hold(struct flight *f, struct chunk *chunk, size_t n)
{
	chunk->from = 0;
	chunk->len = (uint32_t)n;
	flight_hold(f, chunk);
}

void inflow_hold_end(struct flight *f, enum conn_end end, int err)
{
	f->has_end = true;
	f->end = (uint8_t)end;
	f->end_err = err;
}

void inflow_bytes(struct flight *f, struct chunk *chunk, size_t n)
{
	chunk->from = 0;
	chunk->len = (uint32_t)n;
	f->fulls = n == BUFRING_SIZE ? f->fulls + (f->fulls < INFLOW_FLOOD) : 0;
	if (f->fulls == INFLOW_FLOOD)
		f->is_stream = true;
	while (f->conn != NULL && chunk->len > 0) {
		struct conn *c = f->conn;

		if (c->has_ended || c->must_end)
			break;
		if (f->held != NULL || !conn_wants_read(c)) {
			flight_hold(f, chunk);
			return;
		}
		inflow_lend(c, chunk);
	}
	chunk_unref(chunk);
}

void inflow_end(struct flight *f, enum conn_end end, int err)
{
	struct conn *c = f->conn;

	if (c == NULL)
		return;
	if (f->held == NULL && conn_wants_read(c)) {
		conn_input_end(c, end, err);
		return;
	}
	inflow_hold_end(f, end, err);
}

void inflow_read(struct flight *f)
{
	struct conn *c = f->conn;
	struct loop *loop = c->loop;
	size_t room, max = conn_read_max(c);
	uint8_t *to = loop_read_room(loop, &room);
	ssize_t n;

	if (room > max)
		room = max;
	do
		n = recv(c->fd, to, room, 0);
	while (n < 0 && errno == EINTR);
	if (n < (ssize_t)BUFRING_SIZE && (size_t)n != room) {
		f->is_stream = f->is_hung_up;
		f->fulls = 0;
	}
	if (n > 0) {
		conn_input(c, loop->rx, to, (size_t)n);
	} else if (n == 0) {
		conn_input_end(c, CONN_END_EOF, 0);
	} else if (errno != EAGAIN && errno != EWOULDBLOCK) {
		conn_input_end(c, CONN_END_RESET, errno);
	}
}

bool inflow_is_eager(const struct flight *f)
{
	return f->conn != NULL && (f->held != NULL || f->has_end) && conn_wants_read(f->conn);
}

void inflow_eager(struct flight *f)
{
	while (f->held != NULL && inflow_is_eager(f)) {
		struct chunk *chunk = f->held;

		/* the rest of it, if any, stays the first of what is held */
		chunk_ref(chunk);
		if (chunk->len <= conn_read_max(f->conn))
			chunk_unref(flight_unhold(f));
		inflow_lend(f->conn, chunk);
		chunk_unref(chunk);
	}
	if (inflow_is_eager(f)) {
		f->has_end = false;
		conn_input_end(f->conn, (enum conn_end)f->end, f->end_err);
	}
}

void inflow_leave(struct flight *f)
{
	struct chunk *chunk;

	while ((chunk = flight_unhold(f)) != NULL) {
		stray_bytes(f->conn, chunk, chunk->data + chunk->from, chunk->len);
		chunk_unref(chunk);
	}
	if (f->has_end)
		stray_end(f->conn, (enum conn_end)f->end, f->end_err);
	f->has_end = false;
}
