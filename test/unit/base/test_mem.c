/* mem: objects and libraries' blocks are counted by whichever thread, and add up; accounts; weights */
#include "base/mem.h"
#include "base/weight.h"
#include "test/unit/base/suite.h"

#ifdef FX_ADDRESS_SANITIZER
#include <sanitizer/asan_interface.h>
#endif
#include <pthread.h>
#include <string.h>

#define THREADS 100 /* more than have counters of their own */
#define OBJECTS 500

struct made {
	void *object[OBJECTS], *block[OBJECTS];
};

static void *make(void *arg)
{
	struct made *m = arg;

	for (int i = 0; i < OBJECTS; i++) {
		m->object[i] = mem_object_new(MEM_CLIENT, 100);
		m->block[i] = mem_library_realloc(mem_library_alloc(10), 1000);
	}
	return NULL;
}

static void *unmake(void *arg)
{
	struct made *m = arg;

	for (int i = 0; i < OBJECTS; i++) {
		mem_object_free(MEM_CLIENT, m->object[i], 100);
		mem_library_free(m->block[i]);
	}
	return NULL;
}

static void run_all(struct made *made, void *(*fn)(void *))
{
	pthread_t thread[THREADS];

	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&thread[i], NULL, fn, &made[i]), 0);
	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_join(thread[i], NULL), 0);
}

START_TEST(test_threads_add_up)
{
	struct made *made = mem_zalloc(THREADS * sizeof(*made));
	struct mem_totals before, totals;
	struct mem_usage u;

	mem_totals_get(&before);
	run_all(made, make);
	mem_usage_get(MEM_CLIENT, &u);
	ck_assert_str_eq(u.name, "client_cache");
	ck_assert_uint_eq(u.size, 100);
	ck_assert_uint_eq(u.used, THREADS * OBJECTS);
	ck_assert_uint_eq(u.bytes, THREADS * OBJECTS * 100);
	mem_totals_get(&totals);
	ck_assert_uint_eq(totals.calls - before.calls, THREADS * OBJECTS * 3);
	ck_assert_uint_eq(totals.library_blocks, THREADS * OBJECTS);
	ck_assert_uint_ge(totals.library_bytes, THREADS * OBJECTS * 1000);
	ck_assert_uint_lt(totals.library_bytes, THREADS * OBJECTS * 1100);
	/* by other threads than those that made them */
	run_all(made, unmake);
	mem_usage_get(MEM_CLIENT, &u);
	ck_assert_uint_eq(u.used, 0);
	ck_assert_uint_eq(u.bytes, 0);
	mem_totals_get(&totals);
	ck_assert_uint_eq(totals.library_blocks, 0);
	ck_assert_uint_eq(totals.library_bytes, 0);
	mem_free(made);
}
END_TEST

START_TEST(test_accounts)
{
	size_t outer = 0, inner = 0;
	char *a, *b, *c;

	ck_assert_ptr_null(mem_charge(&outer));
	a = mem_alloc(100);
	ck_assert_uint_eq(outer, mem_cost(a));
	ck_assert_uint_ge(outer, 100);
	ck_assert_ptr_eq(mem_charge(&inner), &outer);
	b = mem_library_alloc(1000);
	c = mem_strdup("text");
	b = mem_library_realloc(b, 3000);
	ck_assert_uint_eq(inner, mem_cost(b) + mem_cost(c));
	ck_assert_ptr_eq(mem_charge(&outer), &inner);
	mem_free(c); /* the wrong account is the caller's mistake */
	ck_assert_uint_eq(outer, mem_cost(a) - (inner - mem_cost(b)));
	ck_assert_ptr_eq(mem_charge(&inner), &outer);
	mem_library_free(b);
	ck_assert_ptr_eq(mem_charge(NULL), &inner);
	mem_free(a);
	ck_assert_ptr_null(mem_charge(NULL));
}
END_TEST

START_TEST(test_weights)
{
	struct weight w = {0}, sum = {0};
	char *a = mem_alloc(100), *b = mem_alloc(50);

	weight_object(&w, WEIGHT_CLIENTS, a);
	weight_block(&w, WEIGHT_CLIENTS, b);
	weight_object(&w, WEIGHT_CLIENTS, NULL);
	weight_bytes(&w, WEIGHT_TLS, 2, 77);
	weight_add(&sum, &w);
	weight_add(&sum, &w);
	ck_assert_uint_eq(sum.of[WEIGHT_CLIENTS].objects, 2);
	ck_assert_uint_eq(sum.of[WEIGHT_CLIENTS].bytes, 2 * (mem_cost(a) + mem_cost(b)));
	ck_assert_uint_eq(sum.of[WEIGHT_TLS].objects, 4);
	ck_assert_uint_eq(sum.of[WEIGHT_TLS].bytes, 154);
	for (unsigned i = 0; i < WEIGHT_COUNT; i++)
		ck_assert_uint_gt(strlen(weight_word((enum weight_purpose)i)), 0);
	mem_free(a);
	mem_free(b);
}
END_TEST

#define BIG 16592 /* a record of TLS */

static struct mem_totals totals(void)
{
	struct mem_totals t;

	mem_totals_get(&t);
	return t;
}

START_TEST(test_what_a_library_gives_back_is_kept)
{
	struct mem_totals before = totals();
	size_t account = 0, cost;
	char *p = mem_library_alloc(100), *q;

	mem_library_free(p); /* nobody keeps anything yet */
	ck_assert_uint_eq(totals().kept_blocks, 0);
	mem_library_keep();
	ck_assert_ptr_null(mem_charge(&account));
	p = mem_library_alloc(100);
	memset(p, 1, 100);
	cost = account;
	ck_assert_uint_eq(cost, mem_cost(p));
	mem_library_free(p);
#ifdef FX_ADDRESS_SANITIZER
	/* whoever uses it now is found out */
	ck_assert(__asan_address_is_poisoned(p) && __asan_address_is_poisoned(p + 99));
#endif
	ck_assert_uint_eq(account, 0);
	ck_assert_uint_eq(totals().kept_blocks, 1);
	ck_assert_uint_eq(totals().kept_bytes, cost);
	/* it is not for whoever asks for more, and it is for what has as much room */
	q = mem_library_alloc(121);
	ck_assert_uint_eq(totals().kept_blocks, 1);
	ck_assert_ptr_eq(mem_library_alloc(97), p);
	ck_assert_uint_eq(totals().kept_blocks, 0);
	ck_assert_uint_eq(account, mem_cost(p) + mem_cost(q));
	memset(p, 2, 97);
	mem_library_free(p);
	mem_library_free(q);
	ck_assert_uint_eq(totals().kept_blocks, 2);
	ck_assert_uint_eq(account, 0);
	ck_assert_uint_eq(totals().library_blocks, before.library_blocks);
	ck_assert_uint_eq(totals().library_bytes, before.library_bytes);
	ck_assert_uint_eq(totals().calls, before.calls + 4);
	mem_library_keep_nothing();
	ck_assert_uint_eq(totals().kept_blocks, 0);
	ck_assert_uint_eq(totals().kept_bytes, 0);
	(void)mem_charge(NULL);
}
END_TEST

/* n blocks of a size come back */
static void give_back(size_t n, size_t size)
{
	char **p = mem_alloc(n * sizeof(*p));

	for (size_t i = 0; i < n; i++) {
		p[i] = mem_library_alloc(size);
		memset(p[i], (int)i, size);
	}
	for (size_t i = 0; i < n; i++)
		mem_library_free(p[i]);
	mem_free(p);
}

START_TEST(test_what_is_kept_is_bounded)
{
	struct mem_totals t;

	mem_library_keep();
	/* now and then malloc's block is a step larger, and of the next class */
	give_back(1000, 1);
	t = totals();
	ck_assert_uint_ge(t.kept_bytes, 8192);
	ck_assert_uint_le(t.kept_bytes, 2 * 8192);
	give_back(1000, BIG);
	ck_assert_uint_ge(totals().kept_blocks, t.kept_blocks + 2);
	ck_assert_uint_le(totals().kept_blocks, t.kept_blocks + 4);
	t = totals();
	give_back(3, 20000); /* nothing that comes often */
	ck_assert_uint_eq(totals().kept_bytes, t.kept_bytes);
	for (size_t size = 1; size < BIG; size++)
		give_back(3, size);
	t = totals();
	ck_assert_uint_le(t.kept_bytes, 384 * 1024);
	ck_assert_uint_gt(t.kept_bytes, 350 * 1024);
	mem_library_keep_nothing();
	ck_assert_uint_eq(totals().kept_bytes, 0);
}
END_TEST

START_TEST(test_nobody_has_that_much)
{
	struct mem_totals before = totals();
	char *p = mem_library_alloc(10);

	memcpy(p, "contents", 9);
	for (size_t less = 0; less < 64; less++) {
		ck_assert_ptr_null(mem_library_alloc(SIZE_MAX - less));
		ck_assert_ptr_null(mem_library_realloc(p, SIZE_MAX - less));
	}
	ck_assert_str_eq(p, "contents");
	ck_assert_uint_eq(totals().library_blocks, before.library_blocks + 1);
	p = mem_library_realloc(p, 5000);
	ck_assert_str_eq(p, "contents");
	mem_library_free(p);
	ck_assert_uint_eq(totals().library_blocks, before.library_blocks);
	ck_assert_uint_eq(totals().library_bytes, before.library_bytes);
}
END_TEST

SUITE_MAIN("mem", test_threads_add_up, test_accounts, test_weights, test_what_a_library_gives_back_is_kept,
	   test_what_is_kept_is_bounded, test_nobody_has_that_much)
