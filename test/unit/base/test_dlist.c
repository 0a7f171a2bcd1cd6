/* dlist: order, removal, and walking while the current node goes */
#include "base/clock.h"
#include "base/dlist.h"
#include "test/unit/base/suite.h"

#include <string.h>

struct thing {
	int number;
	struct dlist link;
};

static int number_of(struct dlist *l)
{
	return container_of(l, struct thing, link)->number;
}

START_TEST(test_order)
{
	struct dlist head;
	struct thing t[3] = {{.number = 0}, {.number = 1}, {.number = 2}};
	int want = 0;

	dlist_init(&head);
	ck_assert(dlist_is_empty(&head));
	ck_assert_ptr_null(dlist_first(&head));
	ck_assert_ptr_null(dlist_last(&head));
	ck_assert_ptr_null(dlist_pop_front(&head));
	for (int i = 0; i < 3; i++)
		dlist_init(&t[i].link);
	dlist_push_back(&head, &t[1].link);
	dlist_push_back(&head, &t[2].link);
	dlist_push_front(&head, &t[0].link);
	DLIST_EACH(it, &head)
	ck_assert_int_eq(number_of(it), want++);
	ck_assert_int_eq(want, 3);
	ck_assert_int_eq(number_of(dlist_last(&head)), 2);
	ck_assert_int_eq(number_of(dlist_pop_front(&head)), 0);
	ck_assert_int_eq(number_of(dlist_first(&head)), 1);
}
END_TEST

START_TEST(test_remove)
{
	struct dlist head;
	struct thing t = {.number = 5};

	dlist_init(&head);
	dlist_init(&t.link);
	ck_assert(!dlist_is_linked(&t.link));
	dlist_remove(&t.link); /* harmless */
	dlist_push_back(&head, &t.link);
	ck_assert(dlist_is_linked(&t.link));
	dlist_remove(&t.link);
	dlist_remove(&t.link);
	ck_assert(!dlist_is_linked(&t.link));
	ck_assert(dlist_is_empty(&head));
}
END_TEST

START_TEST(test_remove_while_walking)
{
	struct dlist head;
	struct thing t[10];
	int left = 0;

	dlist_init(&head);
	for (int i = 0; i < 10; i++) {
		t[i].number = i;
		dlist_push_back(&head, &t[i].link);
	}
	DLIST_EACH(it, &head)
	{
		if (number_of(it) % 2 == 0)
			dlist_remove(it);
	}
	DLIST_EACH(it, &head)
	{
		ck_assert_int_eq(number_of(it) % 2, 1);
		left++;
	}
	ck_assert_int_eq(left, 5);
	DLIST_EACH(it, &head)
	dlist_remove(it);
	ck_assert(dlist_is_empty(&head));
}
END_TEST

START_TEST(test_clock)
{
	uint64_t a = clock_mono_us(), b = clock_mono_us();
	struct clock_second memo = {.is_known = false};
	char out[48];

	ck_assert_uint_ge(b, a);
	ck_assert_uint_gt(clock_wall_us(), UINT64_C(1700000000) * CLOCK_US_PER_SEC);
	setenv("TZ", "UTC", 1);
	clock_format_wall(UINT64_C(1767323045678901), out, sizeof(out));
	ck_assert_str_eq(out, "2026-01-02 03:04:05 UTC");
	clock_format_log(UINT64_C(1767323045678901), &memo, out, sizeof(out));
	ck_assert_str_eq(out, "2026-01-02 03:04:05.678 UTC");
	clock_format_log(UINT64_C(1767323045999999), &memo, out, sizeof(out));
	ck_assert_str_eq(out, "2026-01-02 03:04:05.999 UTC");
	clock_format_log(UINT64_C(1767323046000000), &memo, out, sizeof(out));
	ck_assert_str_eq(out, "2026-01-02 03:04:06.000 UTC");
	clock_format_log(UINT64_C(1767323045000999), &memo, out, sizeof(out));
	ck_assert_str_eq(out, "2026-01-02 03:04:05.000 UTC");
}
END_TEST

SUITE_MAIN("dlist", test_order, test_remove, test_remove_while_walking, test_clock)
