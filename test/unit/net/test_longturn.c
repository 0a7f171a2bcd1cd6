/*
 * The longest turns of a loop, by a clock that only the test moves.
 */
#include "rig.h"

#include "base/mem.h"
#include "test/unit/base/suite.h"

#include <unistd.h>

static struct loop loop;
static struct engine_ops ops;
static uint64_t fake_now;
static struct longturn told[4];
static unsigned tells;

static uint64_t fake_clock(struct loop *l FX_UNUSED)
{
	return fake_now;
}

static void on_long(struct loop *l, const struct longturn *turn)
{
	ck_assert_ptr_eq(l, &loop);
	ck_assert_uint_lt(tells, ARRAY_LEN(told));
	told[tells++] = *turn;
}

static void begin(void)
{
	ops = *rig_engine();
	ops.now = fake_clock;
	fake_now = 1000000000;
	tells = 0;
	ck_assert_int_eq(loop_init(&loop, &ops, 3, &loop), 0);
	loop.longturns.on_long = on_long;
}

struct work {
	struct mail mail;
	uint64_t us;
};

static void work_deliver(struct loop *l FX_UNUSED, struct mail *mail)
{
	struct work *w = container_of(mail, struct work, mail);

	fake_now += w->us;
	mem_free(w);
}

/* wait for waited, then be busy for us with so many letters */
static void turn(uint64_t waited, uint64_t us, unsigned letters)
{
	for (unsigned i = 0; i < letters; i++) {
		struct work *w = mem_zalloc(sizeof(*w));

		w->us = i == 0 ? us : 0;
		loop_post(&loop, &w->mail, work_deliver);
	}
	fake_now += waited;
	loop_turn_begin(&loop);
	loop_turn_end(&loop);
}

static uint64_t recent(void)
{
	return longturn_recent(&loop.longturns, fake_now).us;
}

START_TEST(work_counts_and_waiting_does_not)
{
	begin();
	turn(0, 0, 1);
	ck_assert_uint_eq(loop.longturns.ever.us, 0);
	ck_assert_uint_eq(recent(), 0);
	turn(5000000, 700, 2);
	ck_assert_uint_eq(loop.longturns.ever.us, 700);
	ck_assert_uint_eq(loop.longturns.ever.events, 2);
	ck_assert_uint_eq(recent(), 700);
	/* neither shorter nor equal ones change anything */
	turn(5000000, 699, 3);
	turn(5000000, 700, 3);
	ck_assert_uint_eq(loop.longturns.ever.us, 700);
	ck_assert_uint_eq(loop.longturns.ever.events, 2);
	turn(1, 701, 1);
	ck_assert_uint_eq(loop.longturns.ever.us, 701);
	ck_assert_uint_eq(loop.longturns.ever.events, 1);
	ck_assert_uint_eq(tells, 0);
	loop_fini(&loop);
}
END_TEST

START_TEST(a_period_forgets_and_the_start_does_not)
{
	begin();
	longturn_set_period(&loop.longturns, 10000000);
	turn(1, 900, 1);
	turn(5000000, 400, 1);
	ck_assert_uint_eq(recent(), 900);
	/* the next period: still there, as the period before */
	turn(6000000, 300, 4);
	ck_assert_uint_eq(recent(), 900);
	turn(9000000, 200, 1);
	/* the one after that: what was before is what came last */
	turn(2000000, 100, 1);
	ck_assert_uint_eq(recent(), 300);
	ck_assert_uint_eq(longturn_recent(&loop.longturns, fake_now).events, 4);
	ck_assert_uint_eq(loop.longturns.ever.us, 900);
	/* who asks a loop that has slept gets no old news */
	fake_now += 25000000;
	ck_assert_uint_eq(recent(), 0);
	ck_assert_uint_eq(loop.longturns.ever.us, 900);
	loop_fini(&loop);
}
END_TEST

START_TEST(asking_ends_no_period_early)
{
	begin();
	longturn_set_period(&loop.longturns, 10000000);
	turn(1, 900, 1);
	for (unsigned i = 0; i < 9; i++) {
		turn(1000000, 10, 1);
		ck_assert_uint_eq(recent(), 900);
	}
	ck_assert_uint_eq(loop.longturns.period.us, 900);
	/* a shorter period holds at once */
	longturn_set_period(&loop.longturns, 1000000);
	turn(1, 20, 1);
	ck_assert_uint_eq(loop.longturns.period.us, 20);
	loop_fini(&loop);
}
END_TEST

START_TEST(every_very_long_turn_is_told)
{
	begin();
	turn(1, LONGTURN_TOLD_US, 1);
	ck_assert_uint_eq(tells, 0);
	turn(1, 3 * LONGTURN_TOLD_US, 2);
	turn(1, LONGTURN_TOLD_US + 1, 1); /* though it is not the longest */
	ck_assert_uint_eq(tells, 2);
	ck_assert_uint_eq(told[0].us, 3 * LONGTURN_TOLD_US);
	ck_assert_uint_eq(told[0].events, 2);
	ck_assert_uint_eq(told[1].us, LONGTURN_TOLD_US + 1);
	ck_assert_uint_eq(loop.longturns.ever.us, 3 * LONGTURN_TOLD_US);
	loop.longturns.on_long = NULL;
	turn(1, 4 * LONGTURN_TOLD_US, 1);
	ck_assert_uint_eq(tells, 2);
	loop_fini(&loop);
}
END_TEST

/* on the engine itself: bytes of connections are events, too */
static void slow_reader(struct rig_conn *r FX_UNUSED, struct chunk *chunk FX_UNUSED, const uint8_t *data FX_UNUSED,
			size_t n FX_UNUSED)
{
	fake_now += 5000;
}

START_TEST(bytes_are_events)
{
	struct rig_conn r[3];
	int fd[3];

	begin();
	for (unsigned i = 0; i < 3; i++) {
		rig_init(&r[i]);
		r[i].in_bytes = slow_reader;
		fd[i] = rig_pair(&r[i], &loop);
	}
	rig_turns(&loop, 3);
	loop.longturns.ever = (struct longturn){.us = 0};
	for (unsigned i = 0; i < 3; i++)
		ck_assert_int_eq(write(fd[i], "x", 1), 1);
	rig_turns(&loop, 10);
	for (unsigned i = 0; i < 3; i++)
		ck_assert_uint_eq(r[i].got.len, 1);
	ck_assert_uint_ge(loop.longturns.ever.us, 5000);
	ck_assert_uint_ge(loop.longturns.ever.events, 1);
	ck_assert_uint_ge(loop.longturns.ever.events * 5000, loop.longturns.ever.us);
	for (unsigned i = 0; i < 3; i++) {
		rig_fini(&r[i]);
		close(fd[i]);
	}
	loop_fini(&loop);
}
END_TEST

SUITE_MAIN("longturn", work_counts_and_waiting_does_not, a_period_forgets_and_the_start_does_not, asking_ends_no_period_early,
	   every_very_long_turn_is_told, bytes_are_events)
