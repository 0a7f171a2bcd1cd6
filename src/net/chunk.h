/*
 * chunk.h - reference-counted blocks of I/O memory, one free list per loop.
 *
 * One thread (the loop's).  Whoever wants bytes of a lent slice to live longer
 * than the callback takes a reference on its chunk.  The chunks of a pool are all of
 * one size; its free list keeps a few, the rest goes back to the heap.
 */
#ifndef NET_CHUNK_H
#define NET_CHUNK_H

#include "base/check.h"

#define CHUNK_SIZE ((size_t)64 * 1024 - 64) /* of a loop's chunks; those of other pools are smaller */
#define CHUNK_KEEP 16			      /* free chunks that a loop keeps: 1 MiB */

struct chunk_pool {
	struct chunk *free;
	size_t size; /* bytes of data in each */
	unsigned kept, keep;
};

struct chunk {
	struct chunk_pool *pool;
	struct chunk *next; /* on the free list; else its holder's */
	uint32_t refs;
	uint32_t from, len; /* its holder's: which part matters */
	uint32_t secret; /* so many bytes are wiped before anybody else has it */
	uint8_t data[];
};

/* Chunks of size bytes, of which the free list keeps at most so many. */
void chunk_pool_init(struct chunk_pool *pool, size_t size, unsigned keep);
void chunk_pool_fini(struct chunk_pool *pool);
/* Gives one reference.  Never NULL (no memory for I/O at all is the end of the process). */
struct chunk *chunk_new(struct chunk_pool *pool);
void chunk_free(struct chunk *c);
/* One that holds a copy of n bytes, which are wiped with it; n is at most the size of the pool's. */
struct chunk *chunk_new_secret(struct chunk_pool *pool, const void *p, size_t n);

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
