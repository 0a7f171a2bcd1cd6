/*
 * lookup.h with a made-up server that answers, refuses, dies and hangs on command.
 */
#include "rig.h"

#include "base/clock.h"
#include "base/mem.h"
#include "net/lookup.h"
#include "test/unit/base/suite.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

static struct loop loop;
static struct lookup *l;

struct asker {
	struct lookup_ask ask;
	unsigned answers;
	char cell[64]; /* the first one; "-": no rows */
	char error[256];
	pthread_t thread;
};

/* the made-up server */
enum mood { ANSWERS, REFUSES, DIES_ONCE, DIES, CANNOT_BE_REACHED, HANGS };
static atomic_int mood;
static atomic_uint opens, asks, closes, open_now, most_at_once;
static atomic_bool is_lost;
static pthread_mutex_t note = PTHREAD_MUTEX_INITIALIZER;
static char last_password[64], last_sql[64], last_param[64];
static char fake_link[LOOKUP_PLACES + 8]; /* links are addresses only */

static void note_down(char out[64], const char *text)
{
	pthread_mutex_lock(&note);
	snprintf(out, 64, "%s", text);
	pthread_mutex_unlock(&note);
}

static struct pqlink *fake_open(const struct pqlink_where *where, const struct pqlink_limit *limit, char *error, size_t size)
{
	unsigned now;

	ck_assert_uint_gt(limit->until, 0);
	atomic_fetch_add(&opens, 1);
	note_down(last_password, where->password != NULL ? where->password : "none");
	if (atomic_load(&mood) == CANNOT_BE_REACHED) {
		snprintf(error, size, "cannot reach %s:%u", where->host, where->port);
		return NULL;
	}
	now = atomic_fetch_add(&open_now, 1) + 1;
	while (now > atomic_load(&most_at_once))
		atomic_store(&most_at_once, now);
	return (struct pqlink *)(void *)&fake_link[atomic_load(&opens) % sizeof(fake_link)];
}

static enum pqlink_result fake_ask(struct pqlink *link, const char *sql, const char *const *param, unsigned params,
				   const struct pqlink_limit *limit, struct pqlink_rows *rows, char *error, size_t size)
{
	struct pollfd stop = {.fd = limit->stop_fd, .events = POLLIN};

	ck_assert_ptr_nonnull(link);
	pqlink_rows_init(rows);
	atomic_fetch_add(&asks, 1);
	note_down(last_sql, sql);
	note_down(last_param, params > 0 && param[0] != NULL ? param[0] : "null");
	switch ((enum mood)atomic_load(&mood)) {
	case HANGS: {
		uint64_t now = clock_mono_us();

		if (now < limit->until)
			(void)poll(&stop, 1, (int)((limit->until - now) / 1000) + 1);
		snprintf(error, size, "hung");
		return PQLINK_LOST;
	}
	case DIES_ONCE:
		atomic_store(&mood, ANSWERS);
		/* fall through */
	case DIES:
		snprintf(error, size, "died");
		return PQLINK_LOST;
	case REFUSES:
		snprintf(error, size, "permission denied");
		return PQLINK_REFUSED;
	default:
		break;
	}
	rows->rows = rows->columns = 1;
	(void)buf_append_cstr(&rows->text, "yes");
	rows->cell = mem_alloc(sizeof(*rows->cell));
	rows->cell[0] = (const char *)rows->text.data;
	return PQLINK_OK;
}

static bool fake_is_lost(struct pqlink *link FX_UNUSED)
{
	return atomic_exchange(&is_lost, false);
}

static void fake_close(struct pqlink *link)
{
	if (link == NULL)
		return;
	atomic_fetch_add(&closes, 1);
	atomic_fetch_sub(&open_now, 1);
}

static const struct lookup_driver fake = {fake_open, fake_ask, fake_is_lost, fake_close};

static void on_answer(struct lookup_ask *ask, const struct pqlink_rows *rows, const char *error)
{
	struct asker *a = container_of(ask, struct asker, ask);

	ck_assert(!lookup_is_waiting(ask));
	ck_assert_int_eq(rows == NULL, error != NULL);
	a->answers++;
	a->thread = pthread_self();
	snprintf(a->cell, sizeof(a->cell), "%s", rows != NULL && rows->rows > 0 ? pqlink_rows_cell(rows, 0, 0) : "-");
	snprintf(a->error, sizeof(a->error), "%s", error != NULL ? error : "");
}

static void ask_where(struct asker *a, const char *host, const char *password, unsigned ms)
{
	struct secret secret = {.data = NULL};
	struct lookup_question q = {
		.where = {.host = host, .port = 5432, .dbname = "d", .user = "u"},
		.password = password != NULL ? &secret : NULL,
		.sql = "SELECT $1",
		.param = {"{1,2}"},
		.params = 1,
		.deadline = (uint64_t)ms * 1000,
	};

	if (password != NULL)
		secret_set(&secret, password, strlen(password));
	*a = (struct asker){.ask = {.on_answer = on_answer}};
	lookup_ask(l, &loop, &q, &a->ask);
	ck_assert_uint_eq(a->answers, 0); /* never from inside */
	secret_drop(&secret);
}

static bool is_answered(void *arg)
{
	return ((struct asker *)arg)->answers > 0;
}

static void ask_and_wait(struct asker *a, const char *host, const char *password)
{
	ask_where(a, host, password, 2000);
	rig_until(&loop, is_answered, a);
	ck_assert_uint_eq(a->answers, 1);
	ck_assert(pthread_equal(a->thread, pthread_self()));
}

static struct lookup_stats stats(void)
{
	struct lookup_stats s;

	lookup_get_stats(l, &s);
	return s;
}

static bool none_is_open(void *arg FX_UNUSED)
{
	return atomic_load(&open_now) == 0;
}

static void setup(void)
{
	ck_assert_int_eq(loop_init(&loop, rig_engine(), 0, NULL), 0);
	atomic_store(&mood, ANSWERS);
	l = lookup_new(60000000, &fake);
	ck_assert_ptr_nonnull(l);
}

static void teardown(void)
{
	lookup_free(l);
	while (mailbox_drain(&loop.mailbox, &loop) > 0)
		;
	loop_fini(&loop);
	ck_assert_uint_eq(atomic_load(&open_now), 0);
}

START_TEST(an_answer_comes_home_and_the_connection_is_kept)
{
	struct asker a;

	for (int i = 0; i < 5; i++) {
		ask_and_wait(&a, "h", "pw");
		ck_assert_str_eq(a.cell, "yes");
		ck_assert_str_eq(a.error, "");
	}
	ck_assert_str_eq(last_sql, "SELECT $1");
	ck_assert_str_eq(last_param, "{1,2}");
	ck_assert_str_eq(last_password, "pw");
	ck_assert_uint_eq(atomic_load(&opens), 1);
	ck_assert_uint_eq(atomic_load(&asks), 5);
	ck_assert_uint_eq(stats().open, 1);
	ck_assert_uint_eq(stats().opened, 1);
	ck_assert_uint_eq(stats().waiting, 0);
	ask_and_wait(&a, "other", NULL);
	ck_assert_str_eq(last_password, "none");
	ck_assert_uint_eq(stats().open, 2);
}
END_TEST

START_TEST(an_unused_connection_is_closed)
{
	struct asker a;

	lookup_free(l);
	l = lookup_new(100000, &fake);
	ask_and_wait(&a, "h", NULL);
	ck_assert_uint_eq(atomic_load(&open_now), 1);
	rig_until(&loop, none_is_open, NULL);
	ck_assert_uint_eq(stats().open, 0);
	ck_assert_uint_eq(stats().places, 0);
	ask_and_wait(&a, "h", NULL);
	ck_assert_str_eq(a.cell, "yes");
	ck_assert_uint_eq(atomic_load(&opens), 2);
}
END_TEST

START_TEST(errors_are_told_and_keep_or_lose_the_connection)
{
	struct asker a;

	atomic_store(&mood, CANNOT_BE_REACHED);
	ask_and_wait(&a, "h", NULL);
	ck_assert_str_eq(a.error, "cannot reach h:5432");
	ck_assert_uint_eq(stats().places, 0);
	atomic_store(&mood, REFUSES);
	ask_and_wait(&a, "h", NULL);
	ck_assert_str_eq(a.error, "permission denied");
	ck_assert_uint_eq(stats().open, 1);
	/* a kept one that has died in the meantime is replaced without a word, once */
	atomic_store(&mood, DIES_ONCE);
	ask_and_wait(&a, "h", NULL);
	ck_assert_str_eq(a.cell, "yes");
	ck_assert_uint_eq(atomic_load(&closes), 1);
	atomic_store(&is_lost, true);
	ask_and_wait(&a, "h", NULL);
	ck_assert_str_eq(a.cell, "yes");
	ck_assert_uint_eq(atomic_load(&closes), 2);
	atomic_store(&mood, DIES);
	ask_and_wait(&a, "h", NULL);
	ck_assert_str_eq(a.error, "died");
	ck_assert_uint_eq(stats().open, 0);
	ck_assert_uint_eq(atomic_load(&opens), 5);
}
END_TEST

START_TEST(another_password_is_another_connection)
{
	struct asker a;

	ask_and_wait(&a, "h", "one");
	ask_and_wait(&a, "h", "two");
	ck_assert_str_eq(last_password, "two");
	ck_assert_uint_eq(atomic_load(&closes), 1);
	ck_assert_uint_eq(stats().open, 1);
	ask_and_wait(&a, "h", NULL);
	ck_assert_str_eq(last_password, "none");
	ck_assert_uint_eq(stats().open, 1);
}
END_TEST

START_TEST(one_place_has_one_connection_and_places_do_not_wait_for_each_other)
{
	struct asker slow[LOOKUP_THREADS - 1], same[3], other;
	char host[16];

	atomic_store(&mood, HANGS);
	for (unsigned i = 0; i < ARRAY_LEN(slow); i++) {
		snprintf(host, sizeof(host), "slow%u", i);
		ask_where(&slow[i], host, NULL, 1500);
	}
	for (unsigned i = 0; i < ARRAY_LEN(same); i++)
		ask_where(&same[i], "slow0", NULL, 1000);
	while (atomic_load(&asks) < ARRAY_LEN(slow))
		rig_nap(&loop, 5);
	atomic_store(&mood, ANSWERS);
	ask_and_wait(&other, "quick", NULL);
	ck_assert_str_eq(other.cell, "yes");
	ck_assert_uint_eq(slow[0].answers + slow[1].answers + slow[2].answers, 0);
	ck_assert_uint_eq(atomic_load(&most_at_once), ARRAY_LEN(slow) + 1);
	for (unsigned i = 0; i < ARRAY_LEN(slow); i++) {
		rig_until(&loop, is_answered, &slow[i]);
		ck_assert_str_eq(slow[i].error, "hung");
	}
	/* those behind have had no time left */
	for (unsigned i = 0; i < ARRAY_LEN(same); i++) {
		rig_until(&loop, is_answered, &same[i]);
		ck_assert_str_eq(same[i].error, "no answer in time");
	}
	ck_assert_uint_eq(stats().waiting, 0);
}
END_TEST

START_TEST(forgotten_and_flooded)
{
	static struct asker many[LOOKUP_PLACES + 20];
	unsigned refused = 0;
	struct asker a;
	char host[16];

	atomic_store(&mood, HANGS);
	for (unsigned i = 0; i < ARRAY_LEN(many); i++) {
		snprintf(host, sizeof(host), "h%u", i);
		ask_where(&many[i], host, NULL, 300);
	}
	ask_where(&a, "h0", NULL, 300);
	lookup_forget(&a.ask);
	lookup_forget(&a.ask);
	for (unsigned i = 0; i < ARRAY_LEN(many); i++) {
		rig_until(&loop, is_answered, &many[i]);
		refused += strcmp(many[i].error, "too many questions at a time") == 0;
	}
	ck_assert_uint_eq(refused, 20);
	rig_nap(&loop, 100);
	ck_assert_uint_eq(a.answers, 0);
	atomic_store(&mood, ANSWERS);
	ask_and_wait(&a, "after", NULL);
	ck_assert_str_eq(a.cell, "yes");
}
END_TEST

START_TEST(the_end_waits_for_nobody)
{
	static struct asker a[8];
	uint64_t begin;
	char host[16];

	atomic_store(&mood, HANGS);
	for (unsigned i = 0; i < ARRAY_LEN(a); i++) {
		snprintf(host, sizeof(host), "h%u", i % 6);
		ask_where(&a[i], host, "pw", 60000);
	}
	while (atomic_load(&asks) < LOOKUP_THREADS)
		rig_nap(&loop, 5);
	begin = clock_mono_us();
	lookup_free(l);
	ck_assert_uint_lt(clock_mono_us() - begin, 450000);
	for (unsigned i = 0; i < ARRAY_LEN(a); i++) {
		ck_assert(!lookup_is_waiting(&a[i].ask));
		ck_assert_uint_eq(a[i].answers, 0);
	}
	rig_turns(&loop, 3);
	l = lookup_new(1000000, &fake);
}
END_TEST

SUITE_MAIN_WITH("lookup", setup, teardown, an_answer_comes_home_and_the_connection_is_kept,
		an_unused_connection_is_closed, errors_are_told_and_keep_or_lose_the_connection,
		another_password_is_another_connection,
		one_place_has_one_connection_and_places_do_not_wait_for_each_other, forgotten_and_flooded,
		the_end_waits_for_nobody)
