/*
 * derive.h: keys come home from the helpers, to all who wait for them and to nobody else.
 */
#include "server/derive.h"

#include "base/mem.h"
#include "net/errand.h"
#include "net/loop.h"

#include "test/unit/base/suite.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

static const uint8_t process_key[32] = {7};
static const uint8_t salt[16] = "0123456789abcdef";
static struct loop loop;
static struct scram_cache cache;
static struct errands *errands;
static struct derive derive;
static unsigned answers, wanted_answers;

struct asker {
	struct derive_wait wait;
	const char *password;
	uint32_t iterations;
	unsigned times;
	struct asker *takes_along; /* does not want to know any more, when this one hears it */
	struct credential_keys keys;
};

static void on_derived(struct derive_wait *w)
{
	struct asker *a = container_of(w, struct asker, wait);

	ck_assert_ptr_null(w->job);
	ck_assert_int_eq(scram_cache_derive(&cache, "alice", a->password, strlen(a->password), salt, sizeof(salt), a->iterations, &a->keys), 0);
	ck_assert(!scram_cache_wants(&cache));
	a->times++;
	if (a->takes_along != NULL)
		derive_forget(&a->takes_along->wait);
	if (++answers == wanted_answers)
		loop_stop(&loop);
}

static void ask(struct asker *a, const char *password, uint32_t iterations)
{
	*a = (struct asker){.password = password, .iterations = iterations};
	derive_wait_init(&a->wait, on_derived);
	ck_assert_int_eq(scram_cache_derive(&cache, "alice", password, strlen(password), salt, sizeof(salt), iterations, &a->keys), -1);
	ck_assert(scram_cache_wants(&cache));
	ck_assert(derive_ask(&cache, &a->wait));
	ck_assert(!scram_cache_wants(&cache));
}

static void run(unsigned n)
{
	wanted_answers = n;
	loop_run(&loop);
	ck_assert_uint_eq(answers, n);
	loop.stopping = false;
}

static void setup(void)
{
	answers = wanted_answers = 0;
	ck_assert_int_eq(loop_init(&loop, &engine_ev_ops, 0, NULL), 0);
	scram_cache_init(&cache, 64, process_key);
	errands = errand_new(2, 4, 0);
	derive_init(&derive, &cache, errands, &loop);
}

static void teardown(void)
{
	derive_end(&derive);
	ck_assert(errand_free(errands));
	mailbox_drain(&loop.mailbox, &loop);
	scram_cache_fini(&cache);
	loop_fini(&loop);
}

START_TEST(few_are_computed_at_once)
{
	struct credential_keys keys;

	ck_assert_int_eq(scram_cache_derive(&cache, "alice", "pw", 2, salt, sizeof(salt), DERIVE_HERE_MAX, &keys), 0);
	/* too many for anybody */
	ck_assert_int_eq(scram_cache_derive(&cache, "alice", "pw", 2, salt, sizeof(salt), SCRAMKEY_ITERATIONS_MAX + 1, &keys), -1);
	ck_assert(!scram_cache_wants(&cache));
}
END_TEST

START_TEST(many_come_home)
{
	struct credential_keys right;
	struct asker a, b;

	ask(&a, "pw", DERIVE_HERE_MAX + 1);
	ask(&b, "other", DERIVE_HERE_MAX + 1);
	run(2);
	ck_assert_int_eq(scramkey_derive("pw", 2, salt, sizeof(salt), DERIVE_HERE_MAX + 1, &right), 0);
	ck_assert_mem_eq(a.keys.client_key, right.client_key, SCRAMKEY_LEN);
	ck_assert_mem_ne(b.keys.client_key, right.client_key, SCRAMKEY_LEN);
	/* and stay */
	ck_assert_int_eq(scram_cache_derive(&cache, "alice", "pw", 2, salt, sizeof(salt), DERIVE_HERE_MAX + 1, &a.keys), 0);
}
END_TEST

START_TEST(one_question_is_one_job)
{
	struct asker a[10];

	/* more than the queue would take */
	for (unsigned i = 0; i < ARRAY_LEN(a); i++)
		ask(&a[i], "pw", DERIVE_HERE_MAX + 1);
	run(ARRAY_LEN(a));
	for (unsigned i = 0; i < ARRAY_LEN(a); i++) {
		ck_assert_uint_eq(a[i].times, 1);
		ck_assert(a[i].keys.is_set);
	}
}
END_TEST

START_TEST(who_has_gone_hears_nothing)
{
	struct asker a, b, c, d;

	ask(&a, "pw", DERIVE_HERE_MAX + 1);
	ask(&b, "pw", DERIVE_HERE_MAX + 1);
	ask(&c, "pw", DERIVE_HERE_MAX + 1);
	ask(&d, "pw", DERIVE_HERE_MAX + 1);
	derive_forget(&b.wait);
	derive_forget(&b.wait);
	a.takes_along = &c;
	run(2);
	ck_assert_uint_eq(a.times + d.times, 2);
	ck_assert_uint_eq(b.times + c.times, 0);
	derive_forget(&a.wait);
}
END_TEST

/* what nobody waits for any more may be left undone; who asks the same then does not wait for that */
START_TEST(who_asks_after_those_who_left_gets_an_answer)
{
	struct asker a[3], b;

	for (unsigned i = 0; i < ARRAY_LEN(a); i++) {
		ask(&a[i], "pw", DERIVE_HERE_MAX + 1);
		derive_forget(&a[i].wait);
	}
	ask(&b, "pw", DERIVE_HERE_MAX + 1);
	run(1);
	ck_assert(b.keys.is_set);
}
END_TEST

START_TEST(the_queue_has_an_end)
{
	struct asker a[200];
	char names[200][8];
	unsigned taken = 0;

	for (unsigned i = 0; i < ARRAY_LEN(a); i++) {
		snprintf(names[i], sizeof(names[i]), "pw%03u", i);
		a[i] = (struct asker){.password = names[i], .iterations = SCRAMKEY_ITERATIONS_MAX};
		derive_wait_init(&a[i].wait, on_derived);
		ck_assert_int_eq(scram_cache_derive(&cache, "alice", names[i], 5, salt, sizeof(salt), SCRAMKEY_ITERATIONS_MAX, &a[i].keys), -1);
		taken += derive_ask(&cache, &a[i].wait);
		ck_assert(!scram_cache_wants(&cache));
	}
	ck_assert_uint_ge(taken, 4);
	ck_assert_uint_lt(taken, ARRAY_LEN(a));
	run(taken);
}
END_TEST

START_TEST(the_end_may_come_in_between)
{
	struct asker a[4];

	for (unsigned i = 0; i < ARRAY_LEN(a); i++) {
		ask(&a[i], "pw", SCRAMKEY_ITERATIONS_MAX - i);
		derive_forget(&a[i].wait);
	}
	derive_end(&derive);
	derive_end(&derive);
	/* and who comes too late is told so */
	a[0] = (struct asker){.password = "late", .iterations = SCRAMKEY_ITERATIONS_MAX};
	derive_wait_init(&a[0].wait, on_derived);
	ck_assert_int_eq(scram_cache_derive(&cache, "alice", "late", 4, salt, sizeof(salt), SCRAMKEY_ITERATIONS_MAX, &a[0].keys), -1);
	ck_assert(!derive_ask(&cache, &a[0].wait));
}
END_TEST

SUITE_MAIN_WITH("derive", setup, teardown, few_are_computed_at_once, many_come_home, one_question_is_one_job, who_has_gone_hears_nothing,
		who_asks_after_those_who_left_gets_an_answer, the_queue_has_an_end, the_end_may_come_in_between)
