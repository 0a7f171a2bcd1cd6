/*
 * Deadlines: order, never early, callbacks that do anything, and a comparison with the obvious slow way.
 */
#include "net/timeout.h"

#include "base/mem.h"
#include "base/rnd.h"
#include "test/unit/base/suite.h"

#include <check.h>
#include <stdlib.h>

struct item {
	struct timeout timeout;
	unsigned fired;
	uint64_t at;	/* when it fired */
	unsigned order; /* as the how-manieth */
};

static struct timeout_set all;
static uint64_t now;
static unsigned fired;

static void on_fire(struct timeout *t)
{
	struct item *i = container_of(t, struct item, timeout);

	ck_assert(!timeout_is_armed(t));
	ck_assert_uint_le(t->due, now);
	i->fired++;
	i->at = now;
	i->order = ++fired;
}

static void item_init(struct item *i)
{
	*i = (struct item){.fired = 0};
	timeout_init(&i->timeout, on_fire);
}

static void run(uint64_t at)
{
	now = at;
	timeout_run(&all, now);
}

static void setup(void)
{
	timeout_set_init(&all);
	now = 1000;
	fired = 0;
}

static void teardown(void)
{
	timeout_set_fini(&all);
}

START_TEST(fires_at_its_time_and_once)
{
	struct item a;

	item_init(&a);
	ck_assert_uint_eq(timeout_next_due(&all), 0);
	timeout_arm(&all, &a.timeout, now, 500);
	ck_assert_uint_eq(timeout_next_due(&all), 1500);
	run(1499);
	ck_assert_uint_eq(a.fired, 0);
	run(1500);
	ck_assert_uint_eq(a.fired, 1);
	ck_assert_uint_eq(timeout_next_due(&all), 0);
	run(99999);
	ck_assert_uint_eq(a.fired, 1);
}
END_TEST

START_TEST(rearm_and_disarm)
{
	struct item a;

	item_init(&a);
	timeout_disarm(&a.timeout);
	timeout_arm(&all, &a.timeout, now, 500);
	timeout_arm(&all, &a.timeout, now + 100, 500);
	ck_assert_uint_eq(timeout_next_due(&all), 1600);
	timeout_arm(&all, &a.timeout, now, 0);
	ck_assert(!timeout_is_armed(&a.timeout));
	ck_assert_uint_eq(timeout_next_due(&all), 0);
	timeout_arm(&all, &a.timeout, now, 700);
	timeout_disarm(&a.timeout);
	timeout_disarm(&a.timeout);
	run(10000);
	ck_assert_uint_eq(a.fired, 0);
	/* for ever */
	timeout_arm(&all, &a.timeout, now, UINT64_MAX);
	run(UINT64_MAX - 1);
	ck_assert_uint_eq(a.fired, 0);
	timeout_disarm(&a.timeout);
}
END_TEST

START_TEST(first_in_first_out)
{
	struct item i[50];

	for (unsigned k = 0; k < ARRAY_LEN(i); k++) {
		item_init(&i[k]);
		timeout_arm(&all, &i[k].timeout, now + k / 10, 100);
	}
	run(5000);
	for (unsigned k = 0; k < ARRAY_LEN(i); k++)
		ck_assert_uint_eq(i[k].order, k + 1);
}
END_TEST

static struct item victim, chain;

static void kill_victim(struct timeout *t)
{
	on_fire(t);
	timeout_disarm(&victim.timeout);
	timeout_arm(&all, &chain.timeout, now, 77); /* a new list, maybe */
	timeout_arm(&all, t, now, 10);
}

static void free_self(struct timeout *t)
{
	mem_free(container_of(t, struct item, timeout));
	fired++;
}

START_TEST(callbacks_do_as_they_like)
{
	struct item a, *b = mem_alloc(sizeof(*b));

	item_init(&a);
	a.timeout.fire = kill_victim;
	item_init(&victim);
	item_init(&chain);
	timeout_init(&b->timeout, free_self);
	timeout_arm(&all, &a.timeout, now, 10);
	timeout_arm(&all, &victim.timeout, now, 10);
	timeout_arm(&all, &b->timeout, now, 10);
	run(1010);
	ck_assert_uint_eq(victim.fired, 0);
	ck_assert_uint_eq(a.fired, 1);
	ck_assert_uint_eq(fired, 2);
	ck_assert_uint_eq(timeout_next_due(&all), 1020);
	run(1020);
	ck_assert_uint_eq(a.fired, 2);
	timeout_disarm(&a.timeout);
	run(1097);
	ck_assert_uint_eq(chain.fired, 1);
}
END_TEST

START_TEST(more_durations_than_lists)
{
	static struct item i[10 * TIMEOUT_CLASSES];

	/* descending, so that the shared list is built from its end */
	for (unsigned k = 0; k < ARRAY_LEN(i); k++) {
		item_init(&i[k]);
		timeout_arm(&all, &i[k].timeout, now, ARRAY_LEN(i) - k);
	}
	ck_assert_uint_eq(all.count, TIMEOUT_CLASSES);
	for (unsigned k = ARRAY_LEN(i); k-- > 0;) {
		ck_assert_uint_eq(timeout_next_due(&all), 1000 + ARRAY_LEN(i) - k);
		run(1000 + ARRAY_LEN(i) - k);
		ck_assert_uint_eq(i[k].fired, 1);
		ck_assert_uint_eq(fired, ARRAY_LEN(i) - k);
	}
	/* lists that have run empty serve other durations */
	for (unsigned k = 0; k < TIMEOUT_CLASSES; k++)
		timeout_arm(&all, &i[k].timeout, now, 100000 + k);
	ck_assert(dlist_is_empty(&all.odd));
}
END_TEST

START_TEST(first_in_first_out_in_the_shared_list)
{
	static struct item i[TIMEOUT_CLASSES], odd[5];

	for (unsigned k = 0; k < ARRAY_LEN(i); k++) {
		item_init(&i[k]);
		timeout_arm(&all, &i[k].timeout, now, 1000 + k);
	}
	for (unsigned k = 0; k < ARRAY_LEN(odd); k++) {
		item_init(&odd[k]);
		timeout_arm(&all, &odd[k].timeout, now, 77);
	}
	ck_assert(!dlist_is_empty(&all.odd));
	run(now + 77);
	for (unsigned k = 0; k < ARRAY_LEN(odd); k++)
		ck_assert_uint_eq(odd[k].order, k + 1);
}
END_TEST

START_TEST(the_end_disarms)
{
	struct item a, odd[2 * TIMEOUT_CLASSES];

	item_init(&a);
	timeout_arm(&all, &a.timeout, now, 5);
	for (unsigned k = 0; k < ARRAY_LEN(odd); k++) {
		item_init(&odd[k]);
		timeout_arm(&all, &odd[k].timeout, now, 10 + k);
	}
	timeout_set_fini(&all);
	ck_assert(!timeout_is_armed(&a.timeout));
	for (unsigned k = 0; k < ARRAY_LEN(odd); k++)
		ck_assert(!timeout_is_armed(&odd[k].timeout));
	timeout_set_init(&all);
}
END_TEST

/* against the obvious way: walk over all of them */
START_TEST(as_the_slow_way_would)
{
	enum { N = 300 };
	static struct item item[N];
	static uint64_t due[N]; /* 0: not armed */
	static unsigned expect[N];
	struct rnd rnd;

	rnd_seed(&rnd, (uint64_t)_i);
	for (unsigned k = 0; k < N; k++) {
		item_init(&item[k]);
		due[k] = expect[k] = 0;
	}
	for (unsigned step = 0; step < 3000; step++) {
		unsigned k = (unsigned)rnd_below(&rnd, N);
		uint64_t duration, first = 0;

		switch (rnd_below(&rnd, 4)) {
		case 0:
			timeout_disarm(&item[k].timeout);
			due[k] = 0;
			break;
		case 1:
			now += rnd_below(&rnd, 50);
			run(now);
			for (unsigned j = 0; j < N; j++) {
				if (due[j] != 0 && due[j] <= now) {
					expect[j]++;
					due[j] = 0;
				}
			}
			break;
		default:
			duration = rnd_below(&rnd, _i % 2 ? 12 : 400) * 7;
			timeout_arm(&all, &item[k].timeout, now, duration);
			due[k] = duration ? now + duration : 0;
		}
		for (unsigned j = 0; j < N; j++) {
			if (item[j].fired != expect[j] || timeout_is_armed(&item[j].timeout) != (due[j] != 0))
				ck_abort_msg("seed %d step %u item %u", _i, step, j);
			if (due[j] != 0 && (first == 0 || due[j] < first))
				first = due[j];
		}
		ck_assert_uint_eq(timeout_next_due(&all), first);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("timeout");
	TCase *t = tcase_create("all");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, fires_at_its_time_and_once);
	tcase_add_test(t, rearm_and_disarm);
	tcase_add_test(t, first_in_first_out);
	tcase_add_test(t, callbacks_do_as_they_like);
	tcase_add_test(t, more_durations_than_lists);
	tcase_add_test(t, first_in_first_out_in_the_shared_list);
	tcase_add_test(t, the_end_disarms);
	tcase_add_loop_test(t, as_the_slow_way_would, 0, 6);
	suite_add_tcase(s, t);
	return suite_run(s);
}
