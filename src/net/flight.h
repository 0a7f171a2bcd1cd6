/*
 * flight.h - what is under way in the kernel for one conn or listener.
 *
 * One thread (the loop's).  The record outlives its conn until the last completion
 * has come: the kernel knows it by its address, and nobody else's memory.  Bytes that
 * have arrived and that their conn does not want yet are held here.
 */
#ifndef NET_FLIGHT_H
#define NET_FLIGHT_H

#include "net/conn.h"
#include "net/uring.h"

struct listener;

/* The low bits of an entry's user_data, beside the flight's address; 0 alone: nobody cares. */
enum flight_op {
	FLIGHT_NONE,
	FLIGHT_RECV,   /* multishot receive to the ring's buffers */
	FLIGHT_IN,     /* readable? */
	FLIGHT_OUT,    /* writable? */
	FLIGHT_DOOR,   /* does anybody wait to be accepted? */
	FLIGHT_HUP,    /* has the peer gone? */
	FLIGHT_SEND,
	FLIGHT_WAKE, /* of the loop, no flight */
	FLIGHT_OPS
};

struct flight {
	struct conn *conn; /* NULL: closed, gone, or a listener's */
	struct listener *listener;
	unsigned refs;		/* the conn or listener, each armed op, each list it is on */
	uint8_t armed;		/* bits of enum flight_op */
	bool is_cancelled;	/* the receive; it has not ended yet */
	bool is_dialled;
	bool is_stream;		/* much comes, or the end: it is read as it becomes readable, in big pieces */
	bool is_hung_up;	/* the peer has gone: a stream to its end */
	bool is_changed;	/* on the engine's list */
	bool has_end;		/* behind what is held */
	bool has_told;		/* the send: res */
	uint8_t end;		/* enum conn_end */
	uint8_t fulls;		/* buffers in a row that came full */
	int end_err;
	int res;
	struct flight *next_sent, *next_changed, *next_eager;
	struct chunk *held, *held_last;
	struct outq orphan; /* the closed conn's queue, which a send that is not submitted yet points to */
};

_Static_assert(FLIGHT_OPS <= 8, "three bits");

struct flight_pool {
	struct flight *free;
	unsigned spares;
	unsigned alive;
	unsigned armed; /* ops that have not ended, of all */
};

void flight_pool_fini(struct flight_pool *p);
/* Has one reference, the conn's or listener's.  NULL: no memory. */
struct flight *flight_new(struct flight_pool *p) FX_MUST_USE;
static inline void flight_ref(struct flight *f)
{
	f->refs++;
}
void flight_unref(struct flight_pool *p, struct flight *f);

static inline uint64_t flight_data(const struct flight *f, enum flight_op op)
{
	return (uintptr_t)f | (uint64_t)op;
}
static inline struct flight *flight_of(uint64_t user_data)
{
	return (void *)(uintptr_t)(user_data & ~UINT64_C(7));
}
static inline bool flight_has(const struct flight *f, enum flight_op op)
{
	return (f->armed & (1u << op)) != 0;
}
/* Has the kernel begin with op on fd, which it has not begun with yet. */
void flight_arm(struct flight_pool *p, struct uring *u, struct flight *f, enum flight_op op, int fd);
/* It has ended; the reference that it had is still held. */
void flight_disarm(struct flight_pool *p, struct flight *f, enum flight_op op);
/* Asks the kernel to end what is armed; the completions come. */
void flight_cancel(struct uring *u, struct flight *f, enum flight_op op);
void flight_cancel_all(struct uring *u, struct flight *f);

/* Takes the chunk, whose from and len say what of it. */
void flight_hold(struct flight *f, struct chunk *chunk);
/* Gives the first; NULL: none is held. */
struct chunk *flight_unhold(struct flight *f) FX_MUST_USE;
void flight_drop_held(struct flight *f);

#endif
