/* stats: each counter adds, differs and has a name of its own */
#include "stats/stats.h"
#include "test/unit/base/suite.h"

#include <string.h>

static void set(struct stats *s, unsigned counter, uint64_t value)
{
	memcpy((char *)s + counter * sizeof(value), &value, sizeof(value));
}

START_TEST(test_each_counter)
{
	for (unsigned i = 0; i < STATS_COUNT; i++) {
		struct stats a = {0}, b = {0}, d;

		set(&a, i, 5);
		set(&b, i, 37);
		stats_add(&a, &b);
		stats_difference(&d, &a, &b);
		for (unsigned k = 0; k < STATS_COUNT; k++) {
			ck_assert_uint_eq(stats_get(&a, (enum stats_counter)k), k == i ? 42 : 0);
			ck_assert_uint_eq(stats_get(&d, (enum stats_counter)k), k == i ? 5 : 0);
		}
	}
}
END_TEST

START_TEST(test_all_at_once)
{
	struct stats a, b, d;

	for (unsigned i = 0; i < STATS_COUNT; i++) {
		set(&a, i, UINT64_C(1) << 40 | i);
		set(&b, i, i * 3);
	}
	stats_add(&a, &b);
	for (unsigned i = 0; i < STATS_COUNT; i++)
		ck_assert_uint_eq(stats_get(&a, (enum stats_counter)i), (UINT64_C(1) << 40 | i) + i * 3);
	stats_difference(&d, &a, &b);
	for (unsigned i = 0; i < STATS_COUNT; i++)
		ck_assert_uint_eq(stats_get(&d, (enum stats_counter)i), UINT64_C(1) << 40 | i);
	/* in place, as the reader of averages does */
	stats_difference(&a, &a, &b);
	ck_assert_mem_eq(&a, &d, sizeof(a));
}
END_TEST

START_TEST(test_members)
{
	struct stats s = {0};

	/* the enum and the struct are the same rows in the same order */
#define COUNTER(id)                                               \
	s.id = STATS_##id + 1000;                                 \
	ck_assert_uint_eq(stats_get(&s, STATS_##id), s.id);       \
	ck_assert_str_eq(stats_name(STATS_##id), #id);
#include "stats/counters.def"
#undef COUNTER
}
END_TEST

START_TEST(test_names)
{
	/* PgBouncer's, in the order of SHOW STATS_TOTALS */
	static const char *const bouncer[] = {"server_assignment_count", "xact_count",	      "query_count",
					      "bytes_received",		 "bytes_sent",	      "xact_time",
					      "query_time",		 "wait_time",	      "client_parse_count",
					      "server_parse_count",	 "bind_count"};

	for (unsigned i = 0; i < sizeof(bouncer) / sizeof(bouncer[0]); i++)
		ck_assert_str_eq(stats_name((enum stats_counter)i), bouncer[i]);
	for (unsigned i = 0; i < STATS_COUNT; i++)
		for (unsigned k = 0; k < i; k++)
			ck_assert_str_ne(stats_name((enum stats_counter)i), stats_name((enum stats_counter)k));
	ck_assert_uint_lt(STATS_PGBOUNCER_COUNT, STATS_COUNT);
}
END_TEST

SUITE_MAIN("stats", test_each_counter, test_all_at_once, test_members, test_names)
