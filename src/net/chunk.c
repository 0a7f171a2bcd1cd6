/*
 * chunk.c - reference-counted blocks of I/O memory.
 */
#include "net/chunk.h"

#include "base/mem.h"

void chunk_pool_init(struct chunk_pool *pool, size_t size, unsigned keep)
{
	CHECK(size <= CHUNK_SIZE);
	*pool = (struct chunk_pool){.size = size, .keep = keep};
}

void chunk_pool_fini(struct chunk_pool *pool)
{
	while (pool->free != NULL) {
		struct chunk *c = pool->free;

		pool->free = c->next;
		mem_object_free(MEM_IOBUF, c, sizeof(*c) + pool->size);
	}
	pool->kept = 0;
}

struct chunk *chunk_new(struct chunk_pool *pool)
{
	struct chunk *c = pool->free;

	if (c != NULL) {
		pool->free = c->next;
		pool->kept--;
	} else {
		c = mem_object_new(MEM_IOBUF, sizeof(*c) + pool->size);
		CHECK(c != NULL);
		c->pool = pool;
	}
	c->next = NULL;
	c->refs = 1;
	return c;
}

void chunk_free(struct chunk *c)
{
	struct chunk_pool *pool = c->pool;

	CHECK(c->refs == 0);
	if (pool->kept < pool->keep) {
		c->next = pool->free;
		pool->free = c;
		pool->kept++;
	} else {
		mem_object_free(MEM_IOBUF, c, sizeof(*c) + pool->size);
	}
}
