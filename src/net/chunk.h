/*
 * chunk.h - reference-counted blocks of I/O memory, one free list per loop.
 *
 * One thread (the loop's).  Whoever wants bytes of a lent slice to live longer
 * than the callback takes a reference on its chunk.  Chunks are all of one size;
 * the free list keeps a few, the rest goes back to the heap.
 */
#ifndef NET_CHUNK_H
#define NET_CHUNK_H

#include "base/check.h"

#define CHUNK_SIZE ((size_t)64 * 1024 - 64)

struct chunk_pool {
	struct chunk *free;
	unsigned kept;
};

struct chunk {
	struct chunk_pool *pool;
	struct chunk *next_free;
	uint32_t refs;
	uint8_t data[];
};

void chunk_pool_init(struct chunk_pool *pool);
void chunk_pool_fini(struct chunk_pool *pool);
/* Gives one reference.  Never NULL (no memory for I/O at all is the end of the process). */
struct chunk *chunk_new(struct chunk_pool *pool);
void chunk_free(struct chunk *c);

static inline void chunk_ref(struct chunk *c)
{
	c->refs++;
}

static inline void chunk_unref(struct chunk *c)
{
	if (--c->refs == 0)
		chunk_free(c);
}

#endif
