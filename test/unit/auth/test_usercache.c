/* usercache: one question for all who want to know, answers that are kept, dropped, forgotten; bounded */
#include "auth/usercache.h"
#include "base/mem.h"
#include "test/unit/base/suite.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define PLAIN "secret"

static struct usercache *cache;

struct wait {
	struct usercache_waiter w;
	struct useranswer *answer;
	uint64_t asked_at;
	unsigned woken;
	char why[64];
};

static void on_answer(struct usercache_waiter *w, struct useranswer *answer, uint64_t asked_at,
	const struct usercache_failure *why)
{
	struct wait *x = (struct wait *)w;

	x->woken++;
	x->answer = answer;
	x->asked_at = asked_at;
	if (answer == NULL)
		snprintf(x->why, sizeof(x->why), "%.60s", why->message);
}

static void setup(void)
{
	cache = usercache_new(3);
}

static void teardown(void)
{
	usercache_free(cache);
}

static enum usercache_say ask(const char *key, uint64_t now, uint64_t ttl, struct wait *x, struct usercache_ticket **t)
{
	struct usercache_query q = {key, strlen(key), now > ttl ? now - ttl : 0, now};

	memset(x, 0, sizeof(*x));
	x->w.wake = on_answer;
	dlist_init(&x->w.link);
	return usercache_ask(cache, &q, &x->w, &x->answer, &x->asked_at, t);
}

static struct useranswer *plain(const char *text)
{
	return useranswer_secret(text, strlen(text), NULL);
}

/* asks and answers */
static void learn(const char *key, uint64_t now, const char *text)
{
	struct usercache_ticket *t = NULL;
	struct wait x;

	ck_assert_int_eq(ask(key, now, 10, &x, &t), USERCACHE_ASK);
	usercache_answer(cache, t, plain(text), true, NULL);
	ck_assert_uint_eq(x.woken, 1);
	useranswer_unref(x.answer);
}

static bool knows(const char *key, uint64_t now, uint64_t ttl)
{
	struct usercache_failure why = {.message = "no"};
	struct usercache_ticket *t = NULL;
	struct wait x;

	if (ask(key, now, ttl, &x, &t) == USERCACHE_KNOWN) {
		useranswer_unref(x.answer);
		return true;
	}
	usercache_answer(cache, t, NULL, true, &why);
	return false;
}

static struct usercache_stats stats(void)
{
	struct usercache_stats s;

	usercache_get_stats(cache, &s);
	return s;
}

START_TEST(test_merged)
{
	struct usercache_ticket *t = NULL, *none = NULL;
	struct wait a, b, c;

	ck_assert_int_eq(ask("u", 100, 10, &a, &t), USERCACHE_ASK);
	ck_assert_int_eq(ask("u", 101, 10, &b, &none), USERCACHE_WAIT);
	ck_assert_int_eq(ask("u", 999, 10, &c, &none), USERCACHE_WAIT); /* what is to come is always new enough */
	ck_assert_uint_eq(stats().waiting, 3);
	usercache_answer(cache, t, plain(PLAIN), true, NULL);
	ck_assert_uint_eq(a.woken + b.woken + c.woken, 3);
	ck_assert_ptr_eq(a.answer, b.answer);
	ck_assert_uint_eq(b.asked_at, 100);
	useranswer_unref(a.answer);
	useranswer_unref(b.answer);
	useranswer_unref(c.answer);
	ck_assert_int_eq(ask("u", 110, 10, &a, &none), USERCACHE_KNOWN);
	ck_assert_str_eq((char *)a.answer->credential.text.data, PLAIN);
	useranswer_unref(a.answer);
	ck_assert(!knows("u", 111, 10));
	ck_assert(!knows("v", 100, 10));
	ck_assert_uint_eq(stats().waiting, 0);
	ck_assert_uint_eq(stats().under_way, 0);
	ck_assert_uint_eq(stats().merged, 2);
}
END_TEST

START_TEST(test_failed)
{
	struct usercache_failure why = {.message = "the server is down", .is_server = true};
	struct usercache_ticket *t = NULL;
	struct wait a;

	ck_assert_int_eq(ask("u", 100, 10, &a, &t), USERCACHE_ASK);
	usercache_answer(cache, t, NULL, true, &why);
	ck_assert_uint_eq(a.woken, 1);
	ck_assert_ptr_null(a.answer);
	ck_assert_str_eq(a.why, "the server is down");
	ck_assert(!knows("u", 100, 10));
	/* a re-check that fails leaves what was known */
	learn("v", 100, PLAIN);
	ck_assert_int_eq(ask("v", 105, 4, &a, &t), USERCACHE_ASK);
	usercache_answer(cache, t, NULL, true, &why);
	ck_assert(knows("v", 105, 10));
}
END_TEST

START_TEST(test_not_kept)
{
	struct usercache_ticket *t = NULL, *second = NULL, *none = NULL;
	struct wait a, b, c;

	ck_assert_int_eq(ask("u", 100, 0, &a, &t), USERCACHE_ASK);
	ck_assert_int_eq(ask("u", 101, 0, &b, &none), USERCACHE_WAIT);
	usercache_sent(cache, t);
	/* it has been sent: a later login wants a later answer */
	ck_assert_int_eq(ask("u", 102, 0, &c, &second), USERCACHE_ASK);
	usercache_answer(cache, t, plain("old"), false, NULL);
	ck_assert_uint_eq(a.woken + b.woken, 2);
	ck_assert_uint_eq(c.woken, 0);
	usercache_answer(cache, second, plain("new"), false, NULL);
	ck_assert_str_eq((char *)c.answer->credential.text.data, "new");
	useranswer_unref(a.answer);
	useranswer_unref(b.answer);
	useranswer_unref(c.answer);
	ck_assert_uint_eq(stats().users, 0);
	ck_assert(!knows("u", 102, 0));
}
END_TEST

START_TEST(test_forgotten)
{
	struct usercache_ticket *t = NULL, *second = NULL;
	struct wait a, b;

	learn("u", 100, PLAIN);
	usercache_forget(cache);
	ck_assert(!knows("u", 100, 10));
	/* under way: for those who wait, for nobody else */
	ck_assert_int_eq(ask("u", 100, 10, &a, &t), USERCACHE_ASK);
	usercache_forget(cache);
	ck_assert_int_eq(ask("u", 100, 10, &b, &second), USERCACHE_ASK);
	usercache_answer(cache, t, plain("old"), true, NULL);
	ck_assert_uint_eq(a.woken, 1);
	ck_assert_uint_eq(b.woken, 0);
	ck_assert_uint_eq(stats().users, 0);
	usercache_answer(cache, second, plain("new"), true, NULL);
	ck_assert_str_eq((char *)b.answer->credential.text.data, "new");
	useranswer_unref(a.answer);
	useranswer_unref(b.answer);
}
END_TEST

START_TEST(test_bounded)
{
	struct usercache_ticket *t = NULL;
	struct wait a;

	learn("a", 100, "1");
	learn("b", 101, "2");
	learn("c", 102, "3");
	/* the oldest goes, also while it is asked for anew */
	ck_assert_int_eq(ask("a", 200, 10, &a, &t), USERCACHE_ASK);
	learn("d", 103, "4");
	ck_assert_uint_eq(stats().users, 3);
	ck_assert(knows("b", 103, 10));
	usercache_answer(cache, t, plain("1"), true, NULL);
	useranswer_unref(a.answer);
	ck_assert(!knows("b", 103, 10));
	ck_assert(knows("a", 200, 10));
	usercache_sweep(cache, 103);
	ck_assert_uint_eq(stats().users, 2);
	usercache_sweep(cache, 1000);
	ck_assert_uint_eq(stats().users, 0);
}
END_TEST

START_TEST(test_answers)
{
	static const char names[] = "q_team\0q_inner";
	const char scram[] = "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"
			     "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";
	struct useranswer *none = useranswer_none(), *empty = useranswer_secret("", 0, NULL), *a = plain("a"), *b = plain("b");
	struct useranswer *roles = useranswer_names(names, sizeof(names)), *alone = useranswer_names(NULL, 0), *broken, *s;
	const char *error = NULL;

	ck_assert_str_eq(useranswer_word(none), "no such user");
	ck_assert_str_eq(useranswer_word(empty), "none");
	ck_assert_str_eq(useranswer_word(a), "plain");
	ck_assert(empty->is_found && !useranswer_is_equal(none, empty));
	ck_assert(!useranswer_is_equal(a, b) && useranswer_is_equal(a, a));
	ck_assert_uint_eq(roles->roles, 2);
	ck_assert(useranswer_has_role(roles, "q_team") && useranswer_has_role(roles, "q_inner"));
	ck_assert(!useranswer_has_role(roles, "q_") && !useranswer_has_role(roles, "") && !useranswer_has_role(alone, "q_team"));
	ck_assert(!useranswer_is_equal(roles, alone) && useranswer_is_equal(roles, roles));
	broken = useranswer_secret("SCRAM-SHA-256$x", 15, &error);
	ck_assert(broken->is_found && broken->credential.kind == CREDENTIAL_NONE && error != NULL);
	/* what unknown users look like follows what was found */
	ck_assert(usercache_most_are_scram(cache));
	learn("a", 100, "plain");
	ck_assert(!usercache_most_are_scram(cache));
	learn("b", 100, scram);
	ck_assert(usercache_most_are_scram(cache));
	s = plain(scram);
	ck_assert_str_eq(useranswer_word(s), "scram-sha-256");
	useranswer_unref(s);
	useranswer_unref(none);
	useranswer_unref(empty);
	useranswer_unref(a);
	useranswer_unref(b);
	useranswer_unref(roles);
	useranswer_unref(alone);
	useranswer_unref(broken);
}
END_TEST

/* ---- threads ---- */

#define THREADS 4
#define ROUNDS 3000

struct counted {
	struct usercache_waiter w;
	_Atomic unsigned *answered;
};

static void on_counted(struct usercache_waiter *w, struct useranswer *answer, uint64_t asked_at FX_UNUSED,
	const struct usercache_failure *why FX_UNUSED)
{
	struct counted *x = (struct counted *)w;

	ck_assert(answer != NULL);
	useranswer_unref(answer);
	(*x->answered)++;
	mem_free(x);
}

static _Atomic unsigned answered, known;

static void *storm(void *arg)
{
	unsigned seed = (unsigned)(uintptr_t)arg;

	for (unsigned i = 0; i < ROUNDS; i++) {
		char key[4] = {'u', (char)('0' + (seed + i) % 5), 0, 0};
		struct counted *x = mem_zalloc(sizeof(*x));
		struct usercache_ticket *t = NULL;
		struct useranswer *a = NULL;
		struct usercache_query q = {key, 2, i, i};
		uint64_t at;

		x->w.wake = on_counted;
		x->answered = &answered;
		dlist_init(&x->w.link);
		switch (usercache_ask(cache, &q, &x->w, &a, &at, &t)) {
		case USERCACHE_KNOWN:
			useranswer_unref(a);
			mem_free(x);
			known++;
			break;
		case USERCACHE_ASK:
			if (i % 3 == 0)
				usercache_sent(cache, t);
			if (i % 7 == 0)
				usercache_forget(cache);
			usercache_answer(cache, t, plain("x"), i % 2, NULL);
			break;
		case USERCACHE_WAIT:
			break;
		}
	}
	return NULL;
}

START_TEST(test_threads)
{
	pthread_t t[THREADS];

	for (unsigned i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&t[i], NULL, storm, (void *)(uintptr_t)i), 0);
	for (unsigned i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_join(t[i], NULL), 0);
	/* everybody was answered, once */
	ck_assert_uint_eq(answered + known, THREADS * ROUNDS);
	ck_assert_uint_eq(stats().waiting, 0);
	ck_assert_uint_eq(stats().under_way, 0);
}
END_TEST

SUITE_MAIN_WITH("usercache", setup, teardown, test_merged, test_failed, test_not_kept, test_forgotten, test_bounded,
		test_answers, test_threads)
