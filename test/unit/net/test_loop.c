/*
 * The turn of a loop: deadlines in real time, mail, stopping, burying.
 */
#include "rig.h"

#include "base/clock.h"
#include "base/mem.h"
#include "test/unit/base/suite.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

static struct loop loop;

static void setup(void)
{
	ck_assert_int_eq(loop_init(&loop, rig_engine(), 7, &loop), 0);
}

static void teardown(void)
{
	loop_fini(&loop);
}

struct alarm {
	struct timeout timeout;
	uint64_t armed, rang, duration;
	unsigned left;
};

static unsigned rung;

static void on_alarm(struct timeout *t)
{
	struct alarm *a = container_of(t, struct alarm, timeout);

	a->rang = clock_mono_us();
	ck_assert_uint_ge(a->rang, a->armed + a->duration);
	ck_assert_uint_ge(loop_now(&loop), t->due);
	if (a->left-- > 1) {
		a->armed = loop_now(&loop);
		loop_arm(&loop, t, a->duration);
		return;
	}
	if (++rung == 8)
		loop_stop(&loop);
}

START_TEST(deadlines_ring_in_time)
{
	struct alarm a[8];
	uint64_t late = 0;

	rung = 0;
	for (unsigned i = 0; i < ARRAY_LEN(a); i++) {
		a[i] = (struct alarm){.duration = 1000 + 3700 * (7 - i), .left = 1 + i, .armed = loop_now(&loop)};
		timeout_init(&a[i].timeout, on_alarm);
		loop_arm(&loop, &a[i].timeout, a[i].duration);
	}
	loop_run(&loop);
	for (unsigned i = 0; i < ARRAY_LEN(a); i++)
		if (a[i].rang - a[i].armed - a[i].duration > late)
			late = a[i].rang - a[i].armed - a[i].duration;
	/* generous: the machine may be busy, but a timer that was forgotten would ring never */
	ck_assert_uint_lt(late, 500000);
	/* about two turns for each ring, not one for each millisecond */
	ck_assert_uint_lt(loop.turns, 120);
}
END_TEST

START_TEST(a_later_deadline_can_be_withdrawn)
{
	struct alarm a = {.duration = 1, .left = 1}, b = {.duration = 20000, .left = 1, .armed = loop_now(&loop)};

	rung = 7;
	timeout_init(&a.timeout, on_alarm);
	timeout_init(&b.timeout, on_alarm);
	loop_arm(&loop, &b.timeout, b.duration);
	loop_arm(&loop, &a.timeout, 5000);
	timeout_disarm(&a.timeout);
	loop_run(&loop);
	ck_assert_uint_eq(a.rang, 0);
	ck_assert_uint_gt(b.rang, 0);
}
END_TEST

static unsigned order[8], told;

struct note {
	struct mail mail;
	struct loop_grave grave;
	struct timeout timeout;
	unsigned number;
};

static void note_bury(struct loop_grave *grave)
{
	struct note *n = container_of(grave, struct note, grave);

	order[told++] = 100 + n->number;
	mem_free(n);
}

static void note_deliver(struct loop *l, struct mail *mail)
{
	struct note *n = container_of(mail, struct note, mail);

	order[told++] = n->number;
	loop_defer_free(l, &n->grave, note_bury);
}

START_TEST(the_dead_are_buried_after_the_mail)
{
	told = 0;
	for (unsigned i = 1; i <= 3; i++) {
		struct note *n = mem_zalloc(sizeof(*n));

		n->number = i;
		loop_post(&loop, &n->mail, note_deliver);
	}
	rig_turn(&loop);
	ck_assert_uint_eq(told, 6);
	for (unsigned i = 0; i < 3; i++) {
		ck_assert_uint_eq(order[i], i + 1);
		ck_assert_uint_gt(order[3 + i], 100);
	}
}
END_TEST

START_TEST(graves_are_filled_at_the_end)
{
	struct note *n = mem_zalloc(sizeof(*n));

	told = 0;
	n->number = 4;
	loop_defer_free(&loop, &n->grave, note_bury);
	ck_assert_uint_eq(told, 0);
	loop_fini(&loop);
	ck_assert_uint_eq(told, 1);
	ck_assert_uint_eq(order[0], 104);
	setup();
}
END_TEST

START_TEST(stopped_before_it_ran)
{
	loop_stop(&loop);
	loop_run(&loop);
	loop_stop(&loop);
	loop_run(&loop);
}
END_TEST

static void *stop_later(void *arg)
{
	struct timespec t = {.tv_nsec = 20000000};

	nanosleep(&t, NULL);
	loop_stop(arg);
	return NULL;
}

START_TEST(stopped_by_another_thread)
{
	pthread_t thread;
	uint64_t start = clock_mono_us();

	ck_assert_int_eq(pthread_create(&thread, NULL, stop_later, &loop), 0);
	loop_run(&loop);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	ck_assert_uint_ge(clock_mono_us() - start, 20000);
	/* it slept meanwhile */
	ck_assert_uint_lt(loop.turns, 10);
}
END_TEST

START_TEST(reading_room)
{
	size_t n;
	uint8_t *first = loop_read_room(&loop, &n);

	ck_assert_uint_eq(n, CHUNK_SIZE);
	/* nobody kept anything: the same room again */
	ck_assert_ptr_eq(loop_read_room(&loop, &n), first);
	/* something was kept: another part of the chunk, until less than 16 KiB are left */
	chunk_ref(loop.rx);
	struct chunk *kept = loop.rx;

	loop.rx_pos += 40000;
	ck_assert_ptr_eq(loop_read_room(&loop, &n), first + 40000);
	ck_assert_uint_eq(n, CHUNK_SIZE - 40000);
	loop.rx_pos += 10000;
	ck_assert_ptr_ne(loop_read_room(&loop, &n), first + 50000);
	ck_assert_uint_eq(n, CHUNK_SIZE);
	ck_assert_uint_eq(kept->refs, 1);
	chunk_unref(kept);
}
END_TEST

SUITE_MAIN_WITH("loop", setup, teardown, deadlines_ring_in_time, a_later_deadline_can_be_withdrawn,
		the_dead_are_buried_after_the_mail, graves_are_filled_at_the_end, stopped_before_it_ran,
		stopped_by_another_thread, reading_room)
