/*
 * uringevent.c - what has completed in a loop's io_uring.
 *
 * Written down first, all of it, and handled then: dialled conns (servers) before
 * accepted ones, so that nobody is given a server whose farewell has come.  The loop's
 * thread.
 */
#include "net/engine_uring.h"

#include "base/mem.h"
#include "net/listener.h"
#include "net/sock.h"

#include <errno.h>

#define URINGEVENT_FIRST_ROOM 256

static void uringevent_put(struct uring_events *events, struct uring_event event)
{
	if (events->count == events->room) {
		events->room = events->room == 0 ? URINGEVENT_FIRST_ROOM : events->room * 2;
		events->event = mem_realloc(events->event, events->room * sizeof(event));
	}
	events->event[events->count++] = event;
}

static void uringevent_sort(struct engine_uring *e, const struct io_uring_cqe *cqe)
{
	enum flight_op op = (enum flight_op)(cqe->user_data & 7);
	bool is_last = !(cqe->flags & IORING_CQE_F_MORE);
	struct uring_event event = {.res = cqe->res, .op = (uint8_t)op, .is_last = is_last};

	switch (op) {
	case FLIGHT_NONE:
		return;
	case FLIGHT_WAKE:
		if (is_last)
			e->is_wake_armed = false;
		return;
	case FLIGHT_SEND:
		outflow_told(flight_of(cqe->user_data), cqe->res);
		return;
	default:
		break;
	}
	event.flight = flight_of(cqe->user_data);
	if (cqe->flags & IORING_CQE_F_BUFFER)
		event.chunk = bufring_take(&e->u.buffers, cqe->flags >> IORING_CQE_BUFFER_SHIFT);
	if (cqe->res == (int)BUFRING_SIZE)
		e->fulls++;
	uringevent_put(op == FLIGHT_DOOR	       ? &e->doors
		       : event.flight->is_dialled ? &e->dialled
						  : &e->accepted,
		event);
}

unsigned uringevent_collect(struct engine_uring *e)
{
	struct io_uring_cqe *cqe;
	unsigned head, n, all = 0;
	bool is_over;

	do {
		n = 0;
		io_uring_for_each_cqe(&e->u.ring, head, cqe) {
			uringevent_sort(e, cqe);
			n++;
		}
		io_uring_cq_advance(&e->u.ring, n);
		all += n;
		/* the kernel keeps what has no room, and what comes behind it */
		is_over = io_uring_cq_has_overflow(&e->u.ring);
		if (is_over)
			(void)io_uring_get_events(&e->u.ring);
	} while (is_over);
	return all;
}

/* Has the receive ended because the connection has?  Else it only has to be made again. */
static bool uringevent_is_end(int res, enum conn_end *end, int *err)
{
	if (res > 0 || res == -ECANCELED || res == -ENOBUFS || res == -EINTR || res == -EAGAIN)
		return false;
	*end = res == 0 ? CONN_END_EOF : CONN_END_RESET;
	*err = -res;
	return true;
}

static void uringevent_on_recv(struct engine_uring *e, struct flight *f, const struct uring_event *ev)
{
	enum conn_end end;
	int err;

	if (ev->chunk != NULL && ev->res > 0)
		inflow_bytes(f, ev->chunk, (size_t)ev->res);
	else if (ev->chunk != NULL)
		chunk_unref(ev->chunk);
	if (ev->res == -ENOBUFS && !f->is_stream)
		bufring_grow(&e->u.buffers);
	else if (uringevent_is_end(ev->res, &end, &err))
		inflow_end(f, end, err);
}

static void uringevent_on_writable(struct conn *c)
{
	if (c->is_connecting) {
		conn_connected(c, sock_error(c->fd));
		return;
	}
	if (!c->is_blocked)
		return;
	if (c->out_bytes > 0 && !c->is_write_dead)
		outflow_flush(c);
	else
		c->is_blocked = false;
}

/* The same wake-up ends the receive, but the kernel may hand that out behind this: cancelled now it would never tell, and a server that
 * has gone would be taken for one that is there until its end is read anew.  What comes goes behind this on the same list. */
static void uringevent_on_hangup(struct engine_uring *e, struct flight *f)
{
	if (f->is_dialled && flight_has(f, FLIGHT_RECV)) {
		uring_submit_and_fetch(&e->u);
		(void)uringevent_collect(e);
	}
	f->is_hung_up = f->is_stream = true;
}

static void uringevent_one(struct engine_uring *e, const struct uring_event *ev)
{
	struct flight *f = ev->flight;

	if (ev->is_last)
		flight_disarm(&e->flights, f, (enum flight_op)ev->op);
	switch ((enum flight_op)ev->op) {
	case FLIGHT_RECV:
		uringevent_on_recv(e, f, ev);
		break;
	case FLIGHT_IN:
		if (f->conn != NULL && conn_wants_read(f->conn))
			inflow_read(f);
		break;
	case FLIGHT_OUT:
		if (f->conn != NULL)
			uringevent_on_writable(f->conn);
		break;
	case FLIGHT_HUP:
		uringevent_on_hangup(e, f);
		break;
	case FLIGHT_DOOR:
		if (f->listener != NULL)
			listener_ready(f->listener);
		break;
	default:
		CHECK(false);
	}
	if (!ev->is_last)
		return;
	if (f->conn != NULL || f->listener != NULL)
		engine_uring_change(e, f);
	flight_unref(&e->flights, f);
}

static void uringevent_handle_all(struct engine_uring *e, struct uring_events *events)
{
	while (events->at < events->count) {
		/* more may come meanwhile, and the place move */
		struct uring_event ev = events->event[events->at++];

		if (ev.op != FLIGHT_NONE)
			uringevent_one(e, &ev);
	}
	events->at = events->count = 0;
}

void uringevent_handle(struct engine_uring *e)
{
	e->loop->events += e->dialled.count + e->accepted.count;
	uringevent_handle_all(e, &e->dialled);
	uringevent_handle_all(e, &e->accepted);
	uringevent_handle_all(e, &e->doors);
}

void uringevent_take_back(struct engine_uring *e, struct flight *f)
{
	struct uring_events *events = f->is_dialled ? &e->dialled : &e->accepted;

	for (unsigned i = events->at; i < events->count; i++) {
		struct uring_event *ev = &events->event[i];
		enum conn_end end;
		int err;

		if (ev->flight != f || ev->op != FLIGHT_RECV)
			continue;
		if (ev->chunk != NULL && ev->res > 0)
			inflow_hold(f, ev->chunk, (size_t)ev->res);
		else if (ev->chunk != NULL)
			chunk_unref(ev->chunk);
		if (uringevent_is_end(ev->res, &end, &err))
			inflow_hold_end(f, end, err);
		ev->op = FLIGHT_NONE;
		if (!ev->is_last)
			continue;
		flight_disarm(&e->flights, f, FLIGHT_RECV);
		flight_unref(&e->flights, f);
	}
}

static void uringevent_forget_all(struct engine_uring *e, struct uring_events *events)
{
	for (; events->at < events->count; events->at++) {
		struct uring_event *ev = &events->event[events->at];

		if (ev->op == FLIGHT_NONE)
			continue;
		if (ev->chunk != NULL)
			chunk_unref(ev->chunk);
		if (!ev->is_last)
			continue;
		flight_disarm(&e->flights, ev->flight, (enum flight_op)ev->op);
		flight_unref(&e->flights, ev->flight);
	}
	events->at = events->count = 0;
}

void uringevent_forget(struct engine_uring *e)
{
	uringevent_forget_all(e, &e->dialled);
	uringevent_forget_all(e, &e->accepted);
	uringevent_forget_all(e, &e->doors);
}
