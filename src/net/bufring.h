/*
 * bufring.h - the receive buffers that a loop lends the kernel: chunks in a ring.
 *
 * One thread (the loop's).  The kernel takes a buffer when bytes have arrived, never
 * before, so an idle conn owns none.  Whoever took one out owns its chunk; the ring
 * is filled up again with other chunks, once a turn.  How many it holds grows when
 * they have run out.
 */
#ifndef NET_BUFRING_H
#define NET_BUFRING_H

#include "net/chunk.h"

#include <liburing.h>

/* Of one buffer.  The kernel fills as many as it can at one go, so what a flood can take before we see it is a few
 * dozen of these; floods are read in another way then, see inflow.c. */
#define BUFRING_SIZE ((size_t)4096 - 64)
#define BUFRING_MAX 256			       /* buffers; a power of two */
#define BUFRING_FIRST 64
#define BUFRING_GROUP 1 /* the kernel's name for it */

struct bufring {
	struct io_uring_buf_ring *ring;
	struct chunk_pool *chunks; /* borrowed */
	struct chunk *chunk[BUFRING_MAX]; /* by number; NULL: not there */
	uint16_t empty[BUFRING_MAX];	  /* numbers without a chunk, a stack */
	unsigned empties, goal;
};

/* Registers with ring; chunks are made from pool, which was initialised with BUFRING_SIZE.  0, or -errno. */
int bufring_init(struct bufring *b, struct io_uring *ring, struct chunk_pool *pool) FX_MUST_USE;
/* The kernel must be done with it: the io_uring is closed.  Chunks that were taken may still be about. */
void bufring_fini(struct bufring *b);
/* The kernel has used this one: gives its chunk. */
struct chunk *bufring_take(struct bufring *b, unsigned number) FX_MUST_USE;
/* Puts chunks in the place of those that were taken. */
void bufring_fill(struct bufring *b);
/* They have run out: more next time. */
void bufring_grow(struct bufring *b);

#endif
