/*
 * chunk.c - reference-counted blocks of I/O memory.
 */
#include "net/chunk.h"

#include "base/mem.h"
#include "base/secret.h"

#include <string.h>

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
	if (c->secret > 0)
		secret_wipe(c->data, c->secret);
	c->secret = 0;
	if (pool->kept < pool->keep) {
		c->next = pool->free;
		pool->free = c;
		pool->kept++;
	} else {
		mem_object_free(MEM_IOBUF, c, sizeof(*c) + pool->size);
	}
}

struct chunk *chunk_new_secret(struct chunk_pool *pool, const void *p, size_t n)
{
	struct chunk *c = chunk_new(pool);

	CHECK(n <= pool->size);
	memcpy(c->data, p, n);
	c->secret = (uint32_t)n;
	return c;
}
