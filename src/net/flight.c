/*
 * flight.c - what is under way in the kernel for one conn or listener.
 *
 * See flight.h.
 */
#include "net/flight.h"

#include "base/mem.h"

#include <poll.h>

#define FLIGHT_SPARES 256

void flight_pool_fini(struct flight_pool *p)
{
	CHECK(p->alive == 0);
	while (p->free != NULL) {
		struct flight *f = p->free;

		p->free = f->next_sent;
		mem_free(f);
	}
	p->spares = 0;
}

struct flight *flight_new(struct flight_pool *p)
{
	struct flight *f = p->free;

	if (f != NULL) {
		p->free = f->next_sent;
		p->spares--;
	} else {
		f = mem_try_alloc(sizeof(*f));
		if (f == NULL)
			return NULL;
		CHECK(((uintptr_t)f & 7) == 0);
	}
	*f = (struct flight){.refs = 1};
	p->alive++;
	return f;
}

void flight_unref(struct flight_pool *p, struct flight *f)
{
	CHECK(f->refs > 0);
	if (--f->refs > 0)
		return;
	CHECK(f->armed == 0 && f->conn == NULL && f->listener == NULL && f->orphan.head == NULL);
	flight_drop_held(f);
	p->alive--;
	if (p->spares >= FLIGHT_SPARES) {
		mem_free(f);
		return;
	}
	f->next_sent = p->free;
	p->free = f;
	p->spares++;
}

void flight_arm(struct flight_pool *p, struct uring *u, struct flight *f, enum flight_op op, int fd)
{
	struct io_uring_sqe *sqe = uring_entry(u);

	CHECK(!flight_has(f, op));
	switch (op) {
	case FLIGHT_RECV:
		io_uring_prep_recv_multishot(sqe, fd, NULL, 0, 0);
		/* nothing is there in most cases: no use in trying */
		sqe->ioprio |= IORING_RECVSEND_POLL_FIRST;
		sqe->flags |= IOSQE_BUFFER_SELECT;
		sqe->buf_group = BUFRING_GROUP;
		f->is_cancelled = false;
		break;
	case FLIGHT_IN:
		io_uring_prep_poll_add(sqe, fd, POLLIN);
		break;
	case FLIGHT_OUT:
		io_uring_prep_poll_add(sqe, fd, POLLOUT);
		break;
	case FLIGHT_HUP:
		/* a multishot receive may miss an end that comes together with bytes */
		io_uring_prep_poll_add(sqe, fd, POLLRDHUP);
		break;
	case FLIGHT_DOOR:
		/* a multishot accept would take as many as come, whatever our limits say */
		io_uring_prep_poll_add(sqe, fd, POLLIN);
		break;
	default:
		CHECK(false);
	}
	io_uring_sqe_set_data64(sqe, flight_data(f, op));
	f->armed |= (uint8_t)(1u << op);
	flight_ref(f);
	p->armed++;
}

void flight_disarm(struct flight_pool *p, struct flight *f, enum flight_op op)
{
	CHECK(flight_has(f, op));
	f->armed &= (uint8_t)~(1u << op);
	p->armed--;
}

void flight_cancel(struct uring *u, struct flight *f, enum flight_op op)
{
	CHECK(flight_has(f, op));
	if (op == FLIGHT_RECV) {
		if (f->is_cancelled)
			return;
		f->is_cancelled = true;
	}
	uring_cancel(u, flight_data(f, op));
}

void flight_cancel_all(struct uring *u, struct flight *f)
{
	for (int op = FLIGHT_RECV; op < FLIGHT_OPS; op++)
		if (flight_has(f, (enum flight_op)op))
			flight_cancel(u, f, (enum flight_op)op);
}

void flight_hold(struct flight *f, struct chunk *chunk)
{
	chunk->next = NULL;
	if (f->held != NULL)
		f->held_last->next = chunk;
	else
		f->held = chunk;
	f->held_last = chunk;
}

struct chunk *flight_unhold(struct flight *f)
{
	struct chunk *chunk = f->held;

	if (chunk != NULL) {
		f->held = chunk->next;
		chunk->next = NULL;
	}
	return chunk;
}

void flight_drop_held(struct flight *f)
{
	struct chunk *chunk;

	while ((chunk = flight_unhold(f)) != NULL)
		chunk_unref(chunk);
}
