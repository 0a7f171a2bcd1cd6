/*
 * errand.h: work goes to helpers and comes home; hanging work is in nobody's way; the queue has an end; so has the process.
 */
#include "rig.h"

#include "base/mem.h"
#include "net/errand.h"
#include "test/unit/base/suite.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

static struct loop loop;
static struct errands *errands;
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER; /* held: errands that hang do so */
static atomic_uint begun, dropped;
static unsigned home;
static pthread_t worked_on, came_home_on; /* the last one that came home */

struct job {
	struct errand errand;
	bool hangs;
	unsigned answer;
	pthread_t worked_on;
};

static void work(struct errand *e)
{
	struct job *j = container_of(e, struct job, errand);

	j->worked_on = pthread_self();
	atomic_fetch_add(&begun, 1);
	if (j->hangs) {
		pthread_mutex_lock(&gate);
		pthread_mutex_unlock(&gate);
	}
	j->answer = 42;
}

static void done(struct errand *e)
{
	struct job *j = container_of(e, struct job, errand);

	ck_assert_uint_eq(j->answer, 42);
	came_home_on = pthread_self();
	worked_on = j->worked_on;
	home++;
	mem_free(j);
}

static void drop(struct errand *e)
{
	atomic_fetch_add(&dropped, 1);
	mem_free(container_of(e, struct job, errand));
}

static bool give(bool hangs)
{
	struct job *j = mem_zalloc(sizeof(*j));
	bool is_taken;

	j->errand.work = work;
	j->errand.done = done;
	j->errand.drop = drop;
	j->hangs = hangs;
	is_taken = errand_give(errands, &loop, &j->errand);
	if (!is_taken)
		mem_free(j);
	return is_taken;
}

static bool are_home(void *arg)
{
	return home == *(unsigned *)arg;
}

static bool have_begun(void *arg)
{
	return atomic_load(&begun) == *(unsigned *)arg;
}

static void wait_home(unsigned n)
{
	rig_until(&loop, are_home, &n);
}

static void setup(void)
{
	ck_assert_int_eq(loop_init(&loop, &engine_ev_ops, 0, NULL), 0);
	errands = errand_new(2, 5, 0);
}

static void teardown(void)
{
	(void)errand_free(errands);
	loop_fini(&loop);
}

START_TEST(work_comes_home)
{
	for (unsigned i = 1; i <= 50; i++) {
		ck_assert(give(false));
		ck_assert_uint_eq(home, i - 1); /* by mail only */
		wait_home(i);
		ck_assert(pthread_equal(came_home_on, pthread_self()) && !pthread_equal(worked_on, pthread_self()));
	}
	ck_assert_uint_eq(atomic_load(&dropped), 0);
}
END_TEST

START_TEST(work_that_hangs_is_passed)
{
	unsigned one = 1;

	pthread_mutex_lock(&gate);
	ck_assert(give(true));
	rig_until(&loop, have_begun, &one);
	for (unsigned i = 1; i <= 10; i++) {
		ck_assert(give(false));
		wait_home(i);
	}
	pthread_mutex_unlock(&gate);
	wait_home(11);
}
END_TEST

START_TEST(queue_has_an_end)
{
	unsigned two = 2;

	pthread_mutex_lock(&gate);
	ck_assert(give(true) && give(true));
	rig_until(&loop, have_begun, &two);
	for (unsigned i = 0; i < 5; i++)
		ck_assert(give(false));
	ck_assert(!give(false));
	rig_turns(&loop, 10);
	ck_assert_uint_eq(home, 0);
	pthread_mutex_unlock(&gate);
	wait_home(7);
	ck_assert(give(false));
	wait_home(8);
}
END_TEST

/* Both helpers hang for longer than the patience: others take over; what comes late comes home all the same. */
START_TEST(helpers_that_hang_are_replaced)
{
	unsigned two = 2;

	(void)errand_free(errands);
	errands = errand_new(2, 5, 50000);
	pthread_mutex_lock(&gate);
	ck_assert(give(true) && give(true));
	rig_until(&loop, have_begun, &two);
	for (unsigned i = 1; i <= 10; i++) {
		ck_assert(give(false));
		wait_home(i);
	}
	/* also those that replaced them */
	for (unsigned round = 2; round <= 4; round++) {
		unsigned begun_then = 10 + 2 * round;

		ck_assert(give(true) && give(true));
		rig_until(&loop, have_begun, &begun_then);
	}
	ck_assert(give(false));
	wait_home(11);
	pthread_mutex_unlock(&gate);
	wait_home(19);
	ck_assert(give(false));
	wait_home(20);
	ck_assert_uint_eq(atomic_load(&dropped), 0);
}
END_TEST

/* Replacing has an end, too: then the queue is full and stays so until somebody comes back. */
START_TEST(not_everybody_is_replaced)
{
	unsigned all = ERRAND_LATE_MAX + 1;
	unsigned n = 0;

	(void)errand_free(errands);
	errands = errand_new(1, 1, 1000);
	pthread_mutex_lock(&gate);
	while (n < all) {
		if (give(true))
			n++;
		rig_turns(&loop, 1);
	}
	rig_until(&loop, have_begun, &all);
	ck_assert(give(false));
	ck_assert(!give(false));
	usleep(20000);
	ck_assert(!give(false));
	ck_assert_uint_eq(home, 0);
	pthread_mutex_unlock(&gate);
	wait_home(all + 1);
	ck_assert(give(false));
	wait_home(all + 2);
}
END_TEST

START_TEST(end_while_work_hangs)
{
	unsigned two = 2;

	pthread_mutex_lock(&gate);
	ck_assert(give(true) && give(true));
	rig_until(&loop, have_begun, &two);
	ck_assert(give(false) && give(false));
	ck_assert(!errand_free(errands));
	errands = NULL;
	ck_assert_uint_eq(atomic_load(&dropped), 2);
	pthread_mutex_unlock(&gate);
	for (unsigned i = 0; i < 1000 && atomic_load(&dropped) < 4; i++)
		usleep(5000);
	ck_assert_uint_eq(atomic_load(&dropped), 4);
	rig_turns(&loop, 5);
	ck_assert_uint_eq(home, 0);
	usleep(20000); /* the last helper clears up */
}
END_TEST

/* What libraries keep for a thread goes at its very end, after our last instruction: that is waited for, too. */
static pthread_key_t kept;
static atomic_uint gone;
static atomic_bool last_steps_hang;

static void last_steps(void *value FX_UNUSED)
{
	usleep(20000);
	if (atomic_load(&last_steps_hang)) {
		pthread_mutex_lock(&gate);
		pthread_mutex_unlock(&gate);
	}
	atomic_fetch_add(&gone, 1);
}

static void work_and_keep(struct errand *e)
{
	ck_assert_int_eq(pthread_setspecific(kept, &kept), 0);
	work(e);
}

static void two_that_keep_something(void)
{
	unsigned two = 2;

	ck_assert_int_eq(pthread_key_create(&kept, last_steps), 0);
	pthread_mutex_lock(&gate);
	for (unsigned i = 0; i < 2; i++) {
		struct job *j = mem_zalloc(sizeof(*j));

		j->errand = (struct errand){.work = work_and_keep, .done = done, .drop = drop};
		j->hangs = true;
		ck_assert(errand_give(errands, &loop, &j->errand));
	}
	rig_until(&loop, have_begun, &two);
	pthread_mutex_unlock(&gate);
	wait_home(2);
}

START_TEST(the_end_is_the_very_end)
{
	two_that_keep_something();
	ck_assert_uint_eq(atomic_load(&gone), 0);
	ck_assert(errand_free(errands));
	errands = NULL;
	ck_assert_uint_eq(atomic_load(&gone), 2);
}
END_TEST

START_TEST(nobody_waits_for_last_steps_that_hang)
{
	two_that_keep_something();
	atomic_store(&last_steps_hang, true);
	pthread_mutex_lock(&gate);
	/* comes back, though they can't go on before that */
	ck_assert(errand_free(errands));
	errands = NULL;
	ck_assert_uint_eq(atomic_load(&gone), 0);
	pthread_mutex_unlock(&gate);
	for (unsigned i = 0; i < 1000 && atomic_load(&gone) < 2; i++)
		usleep(5000);
	ck_assert_uint_eq(atomic_load(&gone), 2);
}
END_TEST

SUITE_MAIN_WITH("errand", setup, teardown, work_comes_home, work_that_hangs_is_passed, queue_has_an_end, helpers_that_hang_are_replaced,
		not_everybody_is_replaced, end_while_work_hangs, the_end_is_the_very_end, nobody_waits_for_last_steps_that_hang)
