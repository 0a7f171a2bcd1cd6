/*
 * engine_uring.h - what the files of the io_uring engine share.
 *
 * engine_uring.c runs the turn, uringevent.c has what has happened, inflow.c
 * reads, outflow.c writes.  One thread (the
 * loop's).
 */
#ifndef NET_ENGINE_URING_H
#define NET_ENGINE_URING_H

#include "net/flight.h"
#include "net/loop.h"

/* Something that has happened, to be handled when all of the turn is known. */
struct uring_event {
	struct flight *flight; /* borrowed: its op holds a reference until the last event was handled */
	struct chunk *chunk;   /* owned; NULL: none */
	int res;
	uint8_t op; /* enum flight_op; FLIGHT_NONE: it was taken back */
	bool is_last;
};

struct uring_events {
	struct uring_event *event;
	unsigned room, count, at; /* those from at on are not handled yet */
};

struct engine_uring {
	struct loop *loop;
	struct chunk_pool chunks; /* the ring's buffers */
	struct uring u;
	struct flight_pool flights;
	struct flight *sent;	/* sends whose result is not known yet */
	/* what they want of the kernel may differ from what they have; oldest first */
	struct flight *changed, *changed_last;
	struct flight *eager, *eager_last; /* what is held is wanted now; oldest first */
	struct uring_events dialled, accepted;
	struct uring_events doors; /* of listeners */
	int wake_fd;
	bool is_wake_armed, must_stop;
	unsigned fulls; /* buffers of this turn that came full */
};

static inline struct engine_uring *engine_uring_of(struct loop *loop)
{
	return *(struct engine_uring **)(void *)loop->engine_state;
}

static inline struct flight *engine_uring_flight(const struct conn *c)
{
	return *(struct flight *const *)(const void *)c->engine;
}

/* engine_uring.c: before the kernel is asked the next time, what it does for f will be what its conn wants. */
void engine_uring_change(struct engine_uring *e, struct flight *f);
/* engine_uring.c: the ring belongs to this thread from the first need on; false: it has ended. */
bool engine_uring_is_live(struct engine_uring *e);

/* Writes down what has completed, and the results of sends.  How much it was. */
unsigned uringevent_collect(struct engine_uring *e);
/* Handles it, as much as is written down by the end. */
void uringevent_handle(struct engine_uring *e);
/* What has happened for f and was not handled yet is held, with what is held already. */
void uringevent_take_back(struct engine_uring *e, struct flight *f);
/* Nobody wants to know any more. */
void uringevent_forget(struct engine_uring *e);

/* Bytes came: takes the chunk. */
void inflow_bytes(struct flight *f, struct chunk *chunk, size_t n);
void inflow_end(struct flight *f, enum conn_end end, int err);
/* The same, but they are held in any case. */
void inflow_hold(struct flight *f, struct chunk *chunk, size_t n);
void inflow_hold_end(struct flight *f, enum conn_end end, int err);
/* The fd is readable: reads once. */
void inflow_read(struct flight *f);
/* Is there anything held that the conn wants? */
bool inflow_is_eager(const struct flight *f);
/* Delivers it. */
void inflow_eager(struct flight *f);
/* The conn leaves: what is held goes with it. */
void inflow_leave(struct flight *f);

/* Prepares to write the queue. */
void outflow_flush(struct conn *c);
/* Writes as much as possible now. */
void outflow_push(struct conn *c);
/* The conn closes: a send that is not submitted keeps its queue. */
void outflow_close(struct conn *c);
/* A completion of a send: how much was written, or -errno. */
void outflow_told(struct flight *f, int res);
/* Will there be something to do when the results of what was prepared are known?  Else nobody misses them until
 * something else happens. */
bool outflow_is_awaited(const struct engine_uring *e);
/* All that was prepared has been submitted, and the completions were seen. */
void outflow_resolve(struct engine_uring *e);

#endif
