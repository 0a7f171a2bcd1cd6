/*
 * chunk.c - reference-counted blocks of I/O memory.
 */
#include "net/chunk.h"

#include "base/mem.h"

#define CHUNK_KEEP 16 /* free chunks that a loop keeps: 1 MiB */

void chunk_pool_init(struct chunk_pool *pool)
{
	*pool = (struct chunk_pool){.free = NULL};
}

void chunk_pool_fini(struct chunk_pool *pool)
{
	while (pool->free != NULL) {
		struct chunk *c = pool->free;

		pool->free = c->next_free;
		mem_object_free(MEM_IOBUF, c, sizeof(*c) + CHUNK_SIZE);
	}
	pool->kept = 0;
}

struct chunk *chunk_new(struct chunk_pool *pool)
{
	struct chunk *c = pool->free;

	if (c != NULL) {
		pool->free = c->next_free;
		pool->kept--;
	} else {
		c = mem_object_new(MEM_IOBUF, sizeof(*c) + CHUNK_SIZE);
		CHECK(c != NULL);
		c->pool = pool;
	}
	c->next_free = NULL;
	c->refs = 1;
	return c;
}

void chunk_free(struct chunk *c)
{
	struct chunk_pool *pool = c->pool;

	CHECK(c->refs == 0);
	if (pool->kept < CHUNK_KEEP) {
		c->next_free = pool->free;
		pool->free = c;
		pool->kept++;
	} else {
		mem_object_free(MEM_IOBUF, c, sizeof(*c) + CHUNK_SIZE);
	}
}
