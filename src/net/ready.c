/*
 * ready.c - conns whose turn has not come yet: a stack that only grows.
 *
 * See ready.h.  After the first busy turns nothing is allocated any more.
 */
#include "net/ready.h"

#define READY_FIRST_ROOM 64

void ready_init(struct ready *r)
{
	*r = (struct ready){.events = NULL};
}

void ready_fini(struct ready *r)
{
	mem_free(r->events);
	ready_init(r);
}

uint32_t ready_put(struct ready *r, struct conn *c, int what)
{
	if (r->count == r->room) {
		uint32_t room = r->room == 0 ? READY_FIRST_ROOM : r->room * 2;
		struct ready_event *events = mem_try_realloc(r->events, room * sizeof(*events));

		if (events == NULL)
			return 0;
		r->events = events;
		r->room = room;
	}
	r->events[r->count] = (struct ready_event){.conn = c, .what = what};
	return ++r->count;
}

void ready_forget(struct ready *r, uint32_t slot)
{
	CHECK(slot <= r->count);
	if (slot != 0)
		r->events[slot - 1].conn = NULL;
}

struct conn *ready_next(struct ready *r, int *what)
{
	while (r->count > 0) {
		struct ready_event *e = &r->events[--r->count];

		*what = e->what;
		if (e->conn != NULL)
			return e->conn;
	}
	return NULL;
}
