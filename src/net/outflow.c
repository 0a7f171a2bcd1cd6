/*
 * outflow.c - bytes from conns to the kernel, for the io_uring engine.
 *
 * A send is prepared while the turn settles and made when the turn is submitted, all of
 * a turn's in one call.  Its result is known when that call has returned: no completion
 * means that everything was written.  Where the kernel encrypts there is one in any case.
 */
#include "net/engine_uring.h"

#include "net/outgo.h"

#include <errno.h>
#include <sys/socket.h>

#define OUTFLOW_VECTORS 64

void outflow_flush(struct conn *c)
{
	struct engine_uring *e = engine_uring_of(c->loop);
	struct flight *f = engine_uring_flight(c);
	struct iovec *vec;
	int n;

	if (c->flying > 0) {
		/* more was queued behind it in this very turn: see outflow_is_awaited */
		return;
	}
	vec = uring_vectors(&e->u, OUTFLOW_VECTORS);
	n = outgo_vectors(c, vec, OUTFLOW_VECTORS);
	if (n == 0)
		return;
	for (int i = 0; i < n; i++)
		c->flying += vec[i].iov_len;
	uring_send(&e->u, c->fd, vec, n, outgo_is_kernels(c), flight_data(f, FLIGHT_SEND));
	f->has_told = false;
	f->next_sent = e->sent;
	e->sent = f;
	flight_ref(f);
}

void outflow_told(struct flight *f, int res)
{
	f->has_told = true;
	f->res = res;
}

static void outflow_block(struct engine_uring *e, struct conn *c, struct flight *f)
{
	c->is_blocked = true;
	engine_uring_change(e, f);
	outgo_compact(c);
}

static void outflow_result(struct engine_uring *e, struct conn *c, struct flight *f)
{
	size_t asked = c->flying;

	c->flying = 0;
	if (!f->has_told || (f->res >= 0 && (size_t)f->res == asked)) {
		conn_output_done(c, asked);
		c->is_blocked = false;
		if (c->out_bytes > 0)
			loop_mark_dirty(c->loop, c);
	} else if (f->res >= 0) {
		CHECK((size_t)f->res <= asked);
		conn_output_done(c, (size_t)f->res);
		outflow_block(e, c, f);
	} else if (f->res == -EAGAIN) {
		outflow_block(e, c, f);
	} else if (f->res == -EINTR) {
		loop_mark_dirty(c->loop, c);
	} else {
		conn_output_failed(c, -f->res);
	}
}

bool outflow_is_awaited(const struct engine_uring *e)
{
	for (const struct flight *f = e->sent; f != NULL; f = f->next_sent) {
		const struct conn *c = f->conn;

		if (c != NULL && (c->out_bytes > c->flying || c->is_above_high || c->wants_empty || c->wants_shutdown))
			return true;
	}
	return false;
}

void outflow_resolve(struct engine_uring *e)
{
	while (e->sent != NULL) {
		struct flight *f = e->sent;
		struct conn *c = f->conn;

		e->sent = f->next_sent;
		if (c != NULL)
			outflow_result(e, c, f);
		else
			outq_drop(&f->orphan, e->loop);
		flight_unref(&e->flights, f);
	}
}

/* the ring has ended with its thread; these are last words */
static void outflow_alone(struct conn *c)
{
	struct iovec vec[OUTFLOW_VECTORS];
	struct msghdr msg = {.msg_iov = vec};
	ssize_t n;

	msg.msg_iovlen = (size_t)outgo_vectors(c, vec, OUTFLOW_VECTORS);
	if (msg.msg_iovlen == 0)
		return;
	n = sendmsg(c->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n >= 0)
		conn_output_done(c, (size_t)n);
	else if (errno != EAGAIN && errno != EINTR)
		conn_output_failed(c, errno);
}

void outflow_push(struct conn *c)
{
	struct engine_uring *e = engine_uring_of(c->loop);

	if (!engine_uring_is_live(e)) {
		outflow_alone(c);
		return;
	}
	do {
		if (c->flying == 0)
			outflow_flush(c);
		if (c->flying == 0)
			return; /* TLS has nothing to write yet */
		uring_submit(&e->u);
		(void)uringevent_collect(e);
		outflow_resolve(e);
	} while (c->out_bytes > 0 && !c->is_blocked && !c->is_write_dead);
}

void outflow_close(struct conn *c)
{
	struct flight *f = engine_uring_flight(c);
	struct outq *from;

	if (c->flying == 0)
		return;
	from = outgo_queue(c);
	f->orphan = *from;
	*from = (struct outq){.head = NULL};
	c->flying = 0;
}
