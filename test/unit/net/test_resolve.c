/*
 * resolve.h with a made-up resolver that answers, denies, fails and hangs on command; and with the system's.
 */
#include "rig.h"

#include "base/mem.h"
#include "net/resolve.h"
#include "test/unit/base/suite.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static struct loop loop;
static struct resolver *r;

struct asker {
	struct resolve_ask ask;
	unsigned answers, n;
	struct addr list[RESOLVE_ADDRS];
	char error[256];
	void (*then)(struct asker *a);
	pthread_t thread; /* it was answered on */
};

/* what the made-up resolver says next */
static atomic_int mood; /* enum hostaddr_result */
static atomic_uint last_byte, count, calls;
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER; /* held: names that begin with "slow" hang */
static atomic_bool has_hung;

static enum hostaddr_result fake(const char *host, struct addr *list, unsigned *n, char *error, size_t size)
{
	int say;

	atomic_fetch_add(&calls, 1);
	if (strncmp(host, "slow", 4) == 0) {
		atomic_store(&has_hung, true);
		pthread_mutex_lock(&gate);
		pthread_mutex_unlock(&gate);
	}
	say = atomic_load(&mood);
	ck_assert_uint_eq(*n, RESOLVE_ADDRS);
	*n = 0;
	if (say != HOSTADDR_FOUND) {
		snprintf(error, size, "%s", say == HOSTADDR_FAILED ? "try again" : "unheard of");
		return (enum hostaddr_result)say;
	}
	*n = atomic_load(&count);
	for (unsigned i = 0; i < *n; i++)
		list[i] = (struct addr){.family = ADDR_IPV4, .ip = {10, 0, (uint8_t)i, (uint8_t)atomic_load(&last_byte)}};
	return HOSTADDR_FOUND;
}

static void on_answer(struct resolve_ask *ask, const struct addr *list, unsigned n, const char *error)
{
	struct asker *a = container_of(ask, struct asker, ask);

	ck_assert(!resolve_is_waiting(ask));
	ck_assert_int_eq(n == 0, error != NULL);
	a->answers++;
	a->n = n;
	a->thread = pthread_self();
	memcpy(a->list, list, n * sizeof(*list));
	snprintf(a->error, sizeof(a->error), "%s", error != NULL ? error : "");
	if (a->then != NULL)
		a->then(a);
}

static void ask(struct asker *a, const char *host)
{
	*a = (struct asker){.ask = {.on_answer = on_answer, .port = 5432}, .then = a->then};
	resolve_ask(r, &loop, host, &a->ask);
}

static bool is_answered(void *arg)
{
	return ((struct asker *)arg)->answers > 0;
}

static void ask_and_wait(struct asker *a, const char *host)
{
	ask(a, host);
	rig_until(&loop, is_answered, a);
	ck_assert_uint_eq(a->answers, 1);
}

static void start(uint64_t ttl_ms, uint64_t nxttl_ms, uint64_t deadline_ms)
{
	struct resolve_options o = {.ttl = ttl_ms * 1000,
				    .nxttl = nxttl_ms * 1000,
				    .deadline = deadline_ms * 1000,
				    .look_up = fake};

	r = resolve_new(&o);
}

static void setup(void)
{
	ck_assert_int_eq(loop_init(&loop, rig_engine(), 0, NULL), 0);
	atomic_store(&mood, HOSTADDR_FOUND);
	atomic_store(&last_byte, 1);
	atomic_store(&count, 2);
	atomic_store(&calls, 0);
	atomic_store(&has_hung, false);
}

static void teardown(void)
{
	resolve_free(r);
	/* mail that was under way comes home */
	while (mailbox_drain(&loop.mailbox, &loop) > 0)
		;
	loop_fini(&loop);
}

static struct resolve_stats stats(void)
{
	struct resolve_stats s;

	resolve_get_stats(r, &s);
	return s;
}

static void nap(unsigned ms)
{
	struct timespec t = {.tv_nsec = ms * 1000000L};

	nanosleep(&t, NULL);
}

START_TEST(numeric_is_answered_at_once)
{
	struct asker a = {.then = NULL};

	start(1000, 1000, 1000);
	ask(&a, "192.0.2.7");
	ck_assert_uint_eq(a.answers, 1);
	ck_assert_uint_eq(a.n, 1);
	ck_assert_int_eq(a.list[0].family, ADDR_IPV4);
	ck_assert_uint_eq(a.list[0].port, 5432);
	ask(&a, "::1");
	ck_assert_uint_eq(a.answers, 1);
	ck_assert_int_eq(a.list[0].family, ADDR_IPV6);
	ck_assert_uint_eq(stats().queries, 0);
	ck_assert_uint_eq(stats().names, 0);
}
END_TEST

START_TEST(a_name_is_looked_up_and_cached)
{
	struct asker a = {.then = NULL};

	start(60000, 1000, 5000);
	ask(&a, "db.example");
	ck_assert_uint_eq(a.answers, 0);
	ck_assert(resolve_is_waiting(&a.ask));
	rig_until(&loop, is_answered, &a);
	ck_assert_uint_eq(a.n, 2);
	ck_assert_uint_eq(a.list[0].port, 5432);
	ck_assert_uint_eq(a.list[1].ip[2], 1);
	ck_assert(pthread_equal(a.thread, pthread_self()));
	atomic_store(&last_byte, 9);
	ask(&a, "db.example");
	ck_assert_uint_eq(a.answers, 1);
	ck_assert_uint_eq(a.list[0].ip[3], 1);
	ck_assert_uint_eq(atomic_load(&calls), 1);
	ck_assert_uint_eq(stats().names, 1);
	ck_assert_uint_eq(stats().pending + stats().waiting, 0);
}
END_TEST

START_TEST(an_old_answer_is_replaced)
{
	struct asker a = {.then = NULL};

	start(30, 1000, 5000);
	ask_and_wait(&a, "db");
	atomic_store(&last_byte, 2);
	nap(40);
	ask(&a, "db");
	ck_assert_uint_eq(a.answers, 0);
	rig_until(&loop, is_answered, &a);
	ck_assert_uint_eq(a.list[0].ip[3], 2);
	resolve_set_ttl(r, 0, 0);
	nap(40);
	/* ttl 0: each ask looks anew */
	for (unsigned i = 3; i < 6; i++) {
		atomic_store(&last_byte, i);
		ask_and_wait(&a, "db");
		ck_assert_uint_eq(a.list[0].ip[3], i);
	}
}
END_TEST

START_TEST(no_such_name_is_cached_too)
{
	struct asker a = {.then = NULL};

	start(1000, 50, 5000);
	atomic_store(&mood, HOSTADDR_NO_SUCH_NAME);
	ask_and_wait(&a, "nowhere");
	ck_assert_uint_eq(a.n, 0);
	ck_assert_str_eq(a.error, "cannot look up \"nowhere\": unheard of");
	atomic_store(&mood, HOSTADDR_FOUND);
	ask(&a, "nowhere");
	ck_assert_uint_eq(a.answers, 1);
	ck_assert_uint_eq(a.n, 0);
	nap(60);
	ask_and_wait(&a, "nowhere");
	ck_assert_uint_eq(a.n, 2);
}
END_TEST

START_TEST(stale_answer_in_a_failure_that_may_pass)
{
	struct asker a = {.then = NULL};

	start(0, 60, 5000);
	ask_and_wait(&a, "db");
	atomic_store(&mood, HOSTADDR_FAILED);
	ask_and_wait(&a, "db");
	ck_assert_uint_eq(a.n, 2);
	ck_assert_uint_eq(a.list[0].ip[3], 1);
	/* not asked again for nxttl */
	ask(&a, "db");
	ck_assert_uint_eq(a.answers, 1);
	ck_assert_uint_eq(a.n, 2);
	ck_assert_uint_eq(atomic_load(&calls), 2);
	nap(70);
	/* the name is gone for good: the stale answer with it */
	atomic_store(&mood, HOSTADDR_NO_SUCH_NAME);
	ask_and_wait(&a, "db");
	ck_assert_uint_eq(a.n, 0);
	nap(70);
	atomic_store(&mood, HOSTADDR_FAILED);
	ask_and_wait(&a, "db");
	ck_assert_uint_eq(a.n, 0);
	ck_assert_str_eq(a.error, "cannot look up \"db\": try again");
}
END_TEST

START_TEST(found_nothing_is_no_such_name)
{
	struct asker a = {.then = NULL};

	start(1000, 1000, 5000);
	atomic_store(&count, 0);
	ask_and_wait(&a, "hollow");
	ck_assert_uint_eq(a.n, 0);
	ck_assert_uint_gt(strlen(a.error), 0);
}
END_TEST

START_TEST(askers_of_one_name_share_a_look_up)
{
	static struct asker many[200];

	start(1000, 1000, 5000);
	pthread_mutex_lock(&gate);
	for (unsigned i = 0; i < ARRAY_LEN(many); i++)
		ask(&many[i], "slow.example");
	ck_assert_uint_eq(stats().waiting, ARRAY_LEN(many));
	ck_assert_uint_eq(stats().pending, 1);
	pthread_mutex_unlock(&gate);
	for (unsigned i = 0; i < ARRAY_LEN(many); i++)
		rig_until(&loop, is_answered, &many[i]);
	ck_assert_uint_eq(atomic_load(&calls), 1);
	ck_assert_uint_eq(stats().waiting + stats().pending, 0);
}
END_TEST

static void release_and_wait(void)
{
	pthread_mutex_unlock(&gate);
	for (int i = 0; i < 2000 && stats().pending > 0; i++) {
		rig_turn(&loop);
		nap(1);
	}
	ck_assert_uint_eq(stats().pending, 0);
	rig_turns(&loop, 2);
}

START_TEST(a_hanging_name_is_given_up)
{
	struct asker a = {.then = NULL}, b = {.then = NULL};

	start(1000, 1000, 500); /* for the quick one on a busy machine, too */
	pthread_mutex_lock(&gate);
	ask_and_wait(&a, "slow.example");
	ck_assert_uint_eq(a.n, 0);
	ck_assert_str_eq(a.error, "cannot look up \"slow.example\": no answer in time");
	/* others are not held up, and who comes later for the same name is told at once */
	ask_and_wait(&b, "quick.example");
	ck_assert_uint_eq(b.n, 2);
	nap(10);
	ask(&a, "slow.example");
	ck_assert_uint_eq(a.answers, 1);
	ck_assert_uint_eq(a.n, 0);
	release_and_wait();
	ck_assert_uint_eq(a.answers, 1);
	ask(&a, "slow.example");
	ck_assert_uint_eq(a.answers, 1);
	ck_assert_uint_eq(a.n, 2);
}
END_TEST

START_TEST(a_hanging_name_has_its_stale_answer)
{
	struct asker a = {.then = NULL};

	start(0, 0, 500);
	ask_and_wait(&a, "slow.example");
	pthread_mutex_lock(&gate);
	ask_and_wait(&a, "slow.example");
	ck_assert_uint_eq(a.n, 2);
	nap(10);
	ask(&a, "slow.example");
	ck_assert_uint_eq(a.answers, 1);
	ck_assert_uint_eq(a.n, 2);
	release_and_wait();
}
END_TEST

START_TEST(forgotten_is_not_answered)
{
	struct asker *a = mem_zalloc(sizeof(*a)), b = {.then = NULL};

	start(1000, 1000, 50);
	pthread_mutex_lock(&gate);
	ask(a, "slow.example");
	ask(&b, "slow.example");
	resolve_forget(&a->ask);
	ck_assert(!resolve_is_waiting(&a->ask));
	resolve_forget(&a->ask);
	mem_free(a); /* a late answer would be seen by the sanitizer */
	/* the deadline of one has gone, the other's comes */
	ck_assert_uint_le(rig_nap(&loop, 100), 8);
	ck_assert_uint_eq(b.answers, 1);
	release_and_wait();
	ck_assert_uint_eq(b.answers, 1);
}
END_TEST

static void ask_again(struct asker *a)
{
	if (a->list[0].ip[3] < 5) {
		atomic_fetch_add(&last_byte, 1);
		resolve_ask(r, &loop, "again", &a->ask);
	}
}

START_TEST(asking_inside_the_answer)
{
	struct asker a = {.then = ask_again};

	start(0, 0, 5000);
	ask(&a, "again");
	while (a.answers < 5) {
		rig_turn(&loop);
		ck_assert_uint_lt(loop.turns, 10000000);
	}
	ck_assert_uint_eq(a.list[0].ip[3], 5);
	ck_assert_uint_eq(atomic_load(&calls), 5);
}
END_TEST

START_TEST(many_names_hang_the_rest_waits_in_line)
{
	static struct asker many[20];
	char host[32];

	start(1000, 1000, 5000);
	pthread_mutex_lock(&gate);
	for (unsigned i = 0; i < ARRAY_LEN(many); i++) {
		snprintf(host, sizeof(host), "slow%u", i);
		ask(&many[i], host);
	}
	ck_assert_uint_eq(stats().pending, ARRAY_LEN(many));
	release_and_wait();
	for (unsigned i = 0; i < ARRAY_LEN(many); i++)
		ck_assert_uint_eq(many[i].answers, 1);
}
END_TEST

START_TEST(the_cache_is_bounded)
{
	struct asker a = {.then = NULL};
	char host[32];

	start(0, 0, 5000);
	for (unsigned i = 0; i < 1500; i++) {
		snprintf(host, sizeof(host), "host%u", i);
		ask_and_wait(&a, host);
		ck_assert_uint_eq(a.n, 2);
	}
	ck_assert_uint_le(stats().names, 1024);
	resolve_set_ttl(r, 60000000, 60000000);
	unsigned refused = 0;

	for (unsigned i = 2000; i < 3500; i++) {
		snprintf(host, sizeof(host), "host%u", i);
		ask_and_wait(&a, host);
		refused += a.n == 0;
	}
	/* all in use and fresh: an error, not growth */
	ck_assert_uint_le(stats().names, 1024);
	ck_assert_uint_ge(refused, 400);
}
END_TEST

static void count_row(void *arg, const char *host, uint64_t ttl, const struct addr *list, unsigned n)
{
	ck_assert_str_eq(host, "db");
	ck_assert(ttl > 0 && ttl <= 60000000);
	ck_assert_uint_eq(list[0].ip[0], 10);
	*(unsigned *)arg += n;
}

START_TEST(the_cache_can_be_shown)
{
	struct asker a = {.then = NULL};
	unsigned n = 0;

	start(60000, 1000, 5000);
	ask_and_wait(&a, "db");
	resolve_each(r, count_row, &n);
	ck_assert_uint_eq(n, 2);
}
END_TEST

START_TEST(freed_while_a_look_up_hangs)
{
	struct asker a = {.then = NULL}, b = {.then = NULL};
	uint64_t before;

	start(1000, 1000, 5000);
	pthread_mutex_lock(&gate);
	ask(&a, "slow.example");
	ask(&b, "slower.example");
	while (!atomic_load(&has_hung))
		nap(1);
	before = loop.engine->now(&loop);
	resolve_free(r);
	ck_assert_uint_lt(loop.engine->now(&loop) - before, 2000000);
	r = NULL;
	ck_assert(!resolve_is_waiting(&a.ask) && !resolve_is_waiting(&b.ask));
	pthread_mutex_unlock(&gate);
	nap(50);
	ck_assert_uint_eq(a.answers + b.answers, 0);
}
END_TEST

/* several loops in their threads ask, forget and are answered; nothing is lost or told twice */
#define CROWD 4
#define CROWD_ASKERS 50

struct crowd {
	struct loop loop;
	pthread_t thread;
	struct asker asker[CROWD_ASKERS];
	struct timeout tick;
	unsigned rounds, forgotten, asked;
	unsigned short seed[3];
	unsigned answered;
};

static void crowd_tick(struct timeout *t)
{
	struct crowd *c = container_of(t, struct crowd, tick);
	char host[16];

	for (unsigned i = 0; i < CROWD_ASKERS; i++) {
		struct asker *a = &c->asker[i];

		if (resolve_is_waiting(&a->ask)) {
			if (nrand48(c->seed) % 2 == 0) {
				resolve_forget(&a->ask);
				c->forgotten++;
			}
			continue;
		}
		c->answered += a->answers;
		*a = (struct asker){.ask = {.on_answer = on_answer, .port = 1}};
		if (c->rounds < 200) {
			snprintf(host, sizeof(host), "h%ld", nrand48(c->seed) % 12);
			c->asked++;
			resolve_ask(r, &c->loop, host, &a->ask);
		}
	}
	if (c->rounds++ < 300)
		loop_arm(&c->loop, &c->tick, 300);
	else
		loop_stop(&c->loop);
}

static void *crowd_run(void *arg)
{
	loop_run(&((struct crowd *)arg)->loop);
	return NULL;
}

START_TEST(many_loops_ask)
{
	static struct crowd crowd[CROWD];

	start(1, 1, 5000);
	for (unsigned i = 0; i < CROWD; i++) {
		struct crowd *c = &crowd[i];

		ck_assert_int_eq(loop_init(&c->loop, rig_engine(), i, NULL), 0);
		c->seed[0] = (unsigned short)i;
		timeout_init(&c->tick, crowd_tick);
		loop_arm(&c->loop, &c->tick, 1);
		ck_assert_int_eq(pthread_create(&c->thread, NULL, crowd_run, c), 0);
	}
	for (unsigned i = 0; i < CROWD; i++)
		ck_assert_int_eq(pthread_join(crowd[i].thread, NULL), 0);
	for (unsigned i = 0; i < CROWD; i++) {
		struct crowd *c = &crowd[i];

		ck_assert_uint_gt(c->asked, 1000);
		ck_assert_uint_eq(c->answered + c->forgotten, c->asked);
	}
	ck_assert_uint_eq(stats().waiting, 0);
	resolve_free(r);
	r = NULL;
	for (unsigned i = 0; i < CROWD; i++) {
		while (mailbox_drain(&crowd[i].loop.mailbox, &crowd[i].loop) > 0)
			;
		loop_fini(&crowd[i].loop);
	}
}
END_TEST

START_TEST(the_systems_resolver)
{
	struct resolve_options o = {.ttl = 1000000, .nxttl = 1000000};
	struct asker a = {.then = NULL};
	char text[ADDR_TEXT_MAX];

	r = resolve_new(&o);
	ask_and_wait(&a, "localhost");
	ck_assert_uint_ge(a.n, 1);
	addr_format(&a.list[0], text, sizeof(text));
	ck_assert(strcmp(text, "127.0.0.1") == 0 || strcmp(text, "::1") == 0);
	/* can't be a name for any server, so nobody is asked */
	ask_and_wait(&a, "no such..name");
	ck_assert_uint_eq(a.n, 0);
	ck_assert_ptr_nonnull(strstr(a.error, "no such..name"));
}
END_TEST

SUITE_MAIN_WITH("resolve", setup, teardown, numeric_is_answered_at_once, a_name_is_looked_up_and_cached,
		an_old_answer_is_replaced, no_such_name_is_cached_too, stale_answer_in_a_failure_that_may_pass,
		found_nothing_is_no_such_name, askers_of_one_name_share_a_look_up, a_hanging_name_is_given_up,
		a_hanging_name_has_its_stale_answer, forgotten_is_not_answered, asking_inside_the_answer,
		many_names_hang_the_rest_waits_in_line, the_cache_is_bounded, the_cache_can_be_shown,
		freed_while_a_look_up_hangs, many_loops_ask, the_systems_resolver)
