/*
 * References, the free list and its bound.
 */
#include "base/mem.h"
#include "net/chunk.h"
#include "test/unit/base/suite.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static size_t alive(void)
{
	struct mem_usage u;

	mem_usage_get(MEM_IOBUF, &u);
	return u.used;
}

START_TEST(references)
{
	struct chunk_pool pool;
	struct chunk *c, *d;

	chunk_pool_init(&pool, CHUNK_SIZE, CHUNK_KEEP);
	c = chunk_new(&pool);
	ck_assert_uint_eq(c->refs, 1);
	memset(c->data, 0xa5, CHUNK_SIZE);
	chunk_ref(c);
	chunk_unref(c);
	ck_assert_uint_eq(pool.kept, 0);
	ck_assert_uint_eq(c->data[CHUNK_SIZE - 1], 0xa5);
	d = chunk_new(&pool);
	ck_assert_ptr_ne(c, d);
	chunk_unref(c);
	ck_assert_uint_eq(pool.kept, 1);
	/* the one that was given back comes again */
	ck_assert_ptr_eq(chunk_new(&pool), c);
	ck_assert_uint_eq(c->refs, 1);
	ck_assert_uint_eq(pool.kept, 0);
	chunk_unref(c);
	chunk_unref(d);
	ck_assert_uint_eq(alive(), 2);
	chunk_pool_fini(&pool);
	ck_assert_uint_eq(alive(), 0);
}
END_TEST

START_TEST(only_some_are_kept)
{
	struct chunk_pool pool;
	struct chunk *c[200];

	chunk_pool_init(&pool, CHUNK_SIZE, CHUNK_KEEP);
	for (size_t i = 0; i < ARRAY_LEN(c); i++)
		c[i] = chunk_new(&pool);
	ck_assert_uint_eq(alive(), ARRAY_LEN(c));
	for (size_t i = 0; i < ARRAY_LEN(c); i++)
		chunk_unref(c[i]);
	ck_assert_uint_eq(alive(), pool.kept);
	ck_assert_uint_ge(pool.kept, 1);
	ck_assert_uint_lt(pool.kept, ARRAY_LEN(c));
	chunk_pool_fini(&pool);
	ck_assert_uint_eq(alive(), 0);
}
END_TEST

SUITE_MAIN("chunk", references, only_some_are_kept)
