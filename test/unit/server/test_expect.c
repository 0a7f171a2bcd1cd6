/* expect: against an independent model of how PostgreSQL answers, and every reply byte in every front state */
#include "base/rnd.h"
#include "server/expect.h"
#include "test/unit/base/suite.h"
#include "test/unit/server/pgscript.h"

#include <stdio.h>
#include <string.h>

#define WAY 256

/* ck_assert tells the runner of every call: too slow for millions */
#define MUST(cond, ...)                            \
	do {                                       \
		if (!(cond))                       \
			ck_abort_msg(__VA_ARGS__); \
	} while (0)

/* messages under way to the server, the server, and what the pooler makes of its replies */
struct world {
	struct rnd rnd;
	struct pgscript pg;
	struct expect expect;
	struct pgscript_message way[WAY];
	unsigned first, last, no;
	bool has_function; /* a FunctionCall inside a batch: the queue may be more careful than it must */
	char trace[16384];
	size_t traced;
};

struct totals {
	unsigned long scripts, replies, quiet, ambiguous, errors, copies;
};

static void trace(struct world *w, char dir, uint8_t type, char more)
{
	if (w->traced + 4 < sizeof(w->trace)) {
		w->trace[w->traced++] = dir;
		w->trace[w->traced++] = (char)type;
		w->trace[w->traced++] = more;
		w->trace[w->traced] = '\0';
	}
}

static void client_sends(struct world *w, uint8_t type, bool ours)
{
	MUST(w->last < WAY, "too much under way");
	trace(w, ' ', type, ours ? 'o' : 'c');
	if (type == 'F' && w->expect.in_batch)
		w->has_function = true;
	MUST(expect_request(&w->expect, type, ours) == 0, "no memory");
	w->way[w->last++] = (struct pgscript_message){.type = type, .ours = ours, .no = w->no++};
}

static bool server_takes(struct world *w)
{
	if (w->first == w->last)
		return false;
	trace(w, '>', w->way[w->first].type, ' ');
	pgscript_take(&w->pg, w->way[w->first++]);
	if (w->first == w->last)
		w->first = w->last = 0;
	return true;
}

/* false: the story ends here */
static bool reply_comes(struct world *w, uint64_t seed, struct totals *t, bool *came)
{
	struct pgscript_reply r;
	enum expect_verdict got, want;
	bool was_odd;

	*came = pgscript_next(&w->pg, &r);
	if (!*came)
		return true;
	trace(w, '<', r.type, r.to.ours ? 'o' : 'c');
	was_odd = w->expect.has_odd_sync;
	got = expect_reply(&w->expect, r.type);
	want = r.to.ours ? EXPECT_SWALLOW : EXPECT_FORWARD;
	t->replies++;
	t->errors += r.type == 'E';
	t->copies += r.type == 'G';
	MUST(got == want, "seed %llu: verdict %d for %c, not %d:%s", (unsigned long long)seed, got, r.type, want,
		      w->trace);
	if (w->expect.is_ambiguous) {
		/* that is only said where a Sync was sent into a COPY that failed */
		MUST(r.type == 'E' && was_odd && (r.in_copy_error || w->pg.is_dead), "seed %llu: ambiguous:%s",
			      (unsigned long long)seed, w->trace);
		MUST(!expect_is_quiet(&w->expect), "seed %llu: quiet in doubt", (unsigned long long)seed);
		t->ambiguous++;
		return false;
	}
	return true;
}

static bool is_quiet(const struct world *w)
{
	/* what the server will read and ignore keeps nobody waiting */
	for (unsigned i = w->first; i < w->last; i++)
		if (strchr("dcfH", w->way[i].type) == NULL)
			return false;
	return w->pg.first == w->pg.last && !w->pg.is_skipping && !w->pg.in_copy && !w->pg.has_batch &&
	       !w->pg.is_dead;
}

static void check_quiet(struct world *w, uint64_t seed, struct totals *t)
{
	bool is = expect_is_quiet(&w->expect), may = is_quiet(w);

	if (w->pg.is_dead)
		return;
	MUST(!is || may, "seed %llu: quiet, and the server is not:%s", (unsigned long long)seed, w->trace);
	MUST(!may || is || w->has_function, "seed %llu: the server is quiet, and it is not seen:%s",
		      (unsigned long long)seed, w->trace);
	t->quiet += is;
}

static uint8_t choose(struct world *w, bool sane)
{
	static const char any[] = "QPBDECHSFdcf", batch[] = "PBDECHS", copy[] = "dddcfSH";

	if (w->pg.in_copy && rnd_below(&w->rnd, 16) != 0)
		return (uint8_t)copy[rnd_below(&w->rnd, sizeof(copy) - 1)];
	if (sane && rnd_below(&w->rnd, 3) != 0)
		return (uint8_t)batch[rnd_below(&w->rnd, sizeof(batch) - 1)];
	return (uint8_t)any[rnd_below(&w->rnd, sizeof(any) - 1)];
}

static void drain(struct world *w, uint64_t seed, struct totals *t)
{
	bool came = true;

	while (server_takes(w))
		;
	while (came) {
		if (!reply_comes(w, seed, t, &came))
			return;
		check_quiet(w, seed, t);
	}
}

/* after anything at all, CopyFail and Sync bring the server to rest, and the queue knows it */
static void settle(struct world *w, uint64_t seed, struct totals *t)
{
	drain(w, seed, t);
	if (w->expect.is_ambiguous || w->pg.is_dead)
		return;
	if (w->expect.in_copy) {
		client_sends(w, 'f', false);
		drain(w, seed, t);
	}
	MUST(!w->expect.in_copy || w->pg.in_copy, "seed %llu: a COPY that is over:%s", (unsigned long long)seed, w->trace);
	if (w->expect.is_ambiguous || w->pg.is_dead)
		return;
	if (w->pg.in_copy || !expect_is_quiet(&w->expect)) {
		client_sends(w, 'S', true);
		drain(w, seed, t);
	}
	if (w->expect.is_ambiguous || w->pg.is_dead)
		return;
	MUST(w->pg.in_copy || expect_is_quiet(&w->expect), "seed %llu: no rest:%s", (unsigned long long)seed, w->trace);
}

static void script(uint64_t seed, struct totals *t)
{
	static struct world w;
	unsigned left;
	bool sane, came;

	w.first = w.last = w.no = 0;
	w.has_function = false;
	w.traced = 0;
	w.trace[0] = '\0';
	rnd_seed(&w.rnd, seed);
	pgscript_init(&w.pg, &w.rnd);
	expect_init(&w.expect);
	left = 1 + (unsigned)rnd_below(&w.rnd, 24);
	sane = rnd_below(&w.rnd, 2);
	w.pg.error_in = rnd_below(&w.rnd, 4) == 0 ? 3 : 12;
	t->scripts++;
	while (left > 0 && !w.pg.is_dead) {
		switch (rnd_below(&w.rnd, 4)) {
		case 0:
		case 1:
			left--;
			client_sends(&w, choose(&w, sane), rnd_below(&w.rnd, 5) == 0);
			break;
		case 2:
			(void)server_takes(&w);
			break;
		default:
			if (!reply_comes(&w, seed, t, &came))
				left = 0;
			break;
		}
		if (w.expect.is_ambiguous)
			break;
		check_quiet(&w, seed, t);
	}
	if (!w.expect.is_ambiguous)
		settle(&w, seed, t);
	expect_fini(&w.expect);
}

START_TEST(test_against_the_model)
{
	struct totals t = {0};

	for (uint64_t seed = 1; seed <= 300000; seed++)
		script(seed, &t);
	printf("expect: %lu scripts, %lu replies, %lu errors, %lu copies, %lu moments quiet, %lu ambiguous\n", t.scripts,
	       t.replies, t.errors, t.copies, t.quiet, t.ambiguous);
	ck_assert_uint_gt(t.quiet, 100000);
	ck_assert_uint_gt(t.errors, 100000);
	ck_assert_uint_gt(t.copies, 10000);
	/* doubt is for where doubt is */
	ck_assert_uint_gt(t.ambiguous, 100);
	ck_assert_uint_lt(t.ambiguous, t.scripts / 4);
}
END_TEST

/* ---- every reply byte in every front state ---- */

static const char fronts[] = "QPBDECSF";

/* what may be said to a message at the front; the rest is DESYNC */
static const char *may_say(char front)
{
	switch (front) {
	case 'Q':
		return "ENSATDCIGHWdcZ";
	case 'P':
		return "ENSA1";
	case 'B':
		return "ENSA2";
	case 'D':
		return "ENSAtTn";
	case 'E':
		return "ENSADCsIGHdc";
	case 'C':
		return "ENSA3";
	case 'S':
		return "ENSAZ";
	case 'F':
		return "ENSAVZ";
	default:
		return "NSA";
	}
}

START_TEST(test_every_byte_at_every_front)
{
	unsigned desync = 0, fine = 0;

	for (unsigned f = 0; fronts[f] != '\0'; f++)
		for (unsigned ours = 0; ours < 2; ours++)
			for (unsigned in_copy = 0; in_copy < 2; in_copy++)
				for (unsigned b = 0; b < 256; b++) {
					enum expect_verdict want = ours ? EXPECT_SWALLOW : EXPECT_FORWARD;
					struct expect e;

					if (in_copy && strchr("QE", fronts[f]) == NULL)
						continue;
					expect_init(&e);
					MUST(expect_request(&e, (uint8_t)fronts[f], ours) == 0, "no memory");
					MUST(!in_copy || expect_reply(&e, 'G') == want, "front %c", fronts[f]);
					/* a COPY inside a COPY can't be */
					if (b == 0 || strchr(may_say(fronts[f]), (int)b) == NULL || (in_copy && (b == 'G' || b == 'W')))
						want = EXPECT_DESYNC;
					MUST(expect_reply(&e, (uint8_t)b) == want, "front %c%s, byte %u", fronts[f],
						      in_copy ? " in copy" : "", b);
					if (want == EXPECT_DESYNC)
						desync++;
					else
						fine++;
					expect_fini(&e);
				}
	ck_assert_uint_eq(desync + fine, 2 * 256 * (8 + 2));
}
END_TEST

static void nothing_owed(struct expect *e, enum expect_verdict error)
{
	for (unsigned b = 0; b < 256; b++) {
		struct expect copy = *e;
		enum expect_verdict want = EXPECT_DESYNC;

		if (b == 'N' || b == 'S' || b == 'A')
			want = EXPECT_STRAY;
		else if (b == 'E')
			want = error;
		MUST(expect_reply(&copy, (uint8_t)b) == want, "byte %u", b);
	}
}

START_TEST(test_every_byte_when_nothing_is_owed)
{
	struct expect e;

	expect_init(&e);
	nothing_owed(&e, EXPECT_FATAL);
	/* Flush, Terminate and what is no COPY's owe nothing */
	for (unsigned b = 0; b < 256; b++)
		if (b == 0 || strchr("QPBDECSF", (int)b) == NULL) {
			ck_assert_int_eq(expect_request(&e, (uint8_t)b, false), 0);
			ck_assert_msg(e.count == 0 && expect_is_quiet(&e), "byte %u", b);
		}
	nothing_owed(&e, EXPECT_FATAL);
	/* all of a batch is answered, its Sync not sent */
	ck_assert_int_eq(expect_request(&e, 'P', false), 0);
	ck_assert_int_eq(expect_reply(&e, '1'), EXPECT_FORWARD);
	ck_assert(!expect_is_quiet(&e));
	nothing_owed(&e, EXPECT_FATAL);
	/* and after an error before its Sync */
	ck_assert_int_eq(expect_request(&e, 'B', false), 0);
	ck_assert_int_eq(expect_reply(&e, 'E'), EXPECT_FORWARD);
	ck_assert(e.is_skipping && !expect_is_quiet(&e));
	nothing_owed(&e, EXPECT_FATAL);
	expect_fini(&e);
}
END_TEST

/* a Sync sent into a COPY, its end sent too, and then an error: nobody knows how many ReadyForQuery come */
START_TEST(test_sync_in_copy_and_error)
{
	static const char *const scripts[] = {"QGSE", "QGScE", "QSGcE", "QScGE", "EGSE", "EGScSE", "ESGcSE", "EScSGE", "EGSfE"};

	for (unsigned i = 0; i < ARRAY_LEN(scripts); i++) {
		const char *s = scripts[i];
		struct expect e;
		bool copying = false;

		expect_init(&e);
		for (unsigned at = 0; s[at] != '\0'; at++)
			if (s[at] == 'G' || (s[at] == 'E' && s[at + 1] == '\0'))
				ck_assert_int_eq(expect_reply(&e, (uint8_t)s[at]), EXPECT_FORWARD);
			else
				ck_assert_int_eq(expect_request(&e, (uint8_t)s[at], false), 0);
		copying = e.in_copy;
		ck_assert_msg(e.is_ambiguous && !copying, "%s", s);
		ck_assert_msg(!expect_is_quiet(&e), "%s", s);
		while (e.count > 0)
			ck_assert_int_eq(expect_reply(&e, 'Z'), EXPECT_FORWARD);
		ck_assert_msg(!expect_is_quiet(&e), "%s", s);
		expect_fini(&e);
	}
}
END_TEST

START_TEST(test_long_pipeline)
{
	enum { N = 100000 };
	struct expect e;

	expect_init(&e);
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < N; i++)
			MUST(expect_request(&e, i % 2 ? 'S' : 'E', i % 3 == 0) == (0), "a verdict");
		ck_assert_uint_eq(e.count, N);
		for (unsigned i = 0; i < N; i++)
			MUST(expect_reply(&e, i % 2 ? 'Z' : 'C') == (i % 3 ? EXPECT_FORWARD : EXPECT_SWALLOW), "a verdict");
		ck_assert(expect_is_quiet(&e));
		MUST(expect_reply(&e, 'Z') == (EXPECT_DESYNC), "a verdict");
	}
	/* the ring wraps at every size */
	for (unsigned i = 0; i < 1000; i++) {
		MUST(expect_request(&e, 'Q', false) == (0), "a verdict");
		MUST(expect_request(&e, 'Q', true) == (0), "a verdict");
		MUST(expect_reply(&e, 'Z') == (i % 2 ? EXPECT_SWALLOW : EXPECT_FORWARD), "a verdict");
	}
	ck_assert_uint_eq(e.count, 1000);
	/* one error drops all up to the Sync */
	expect_fini(&e);
	for (unsigned i = 0; i < N; i++)
		MUST(expect_request(&e, "PBDE"[i % 4], false) == (0), "a verdict");
	MUST(expect_request(&e, 'S', false) == (0), "a verdict");
	MUST(expect_reply(&e, 'E') == (EXPECT_FORWARD), "a verdict");
	ck_assert_uint_eq(e.count, 1);
	MUST(expect_reply(&e, 'Z') == (EXPECT_FORWARD), "a verdict");
	ck_assert(expect_is_quiet(&e));
	expect_fini(&e);
}
END_TEST

static unsigned owed(const char *messages, const char *ours)
{
	struct expect e;
	unsigned n;

	expect_init(&e);
	for (unsigned i = 0; messages[i] != '\0'; i++)
		ck_assert_int_eq(expect_request(&e, (uint8_t)messages[i], ours[i] == 'o'), 0);
	n = expect_ready_owed(&e) * 10 + expect_is_one_request(&e);
	expect_fini(&e);
	return n;
}

START_TEST(test_what_is_owed)
{
	ck_assert_uint_eq(owed("", ""), 0);
	ck_assert_uint_eq(owed("Q", " "), 11);
	ck_assert_uint_eq(owed("F", " "), 11);
	ck_assert_uint_eq(owed("S", " "), 11);
	ck_assert_uint_eq(owed("PBDES", "     "), 11);
	ck_assert_uint_eq(owed("PBDE", "    "), 0);
	ck_assert_uint_eq(owed("QQ", "  "), 20);
	ck_assert_uint_eq(owed("QQQQ", "    "), 20);
	ck_assert_uint_eq(owed("PBESPBES", "        "), 20);
	ck_assert_uint_eq(owed("PBQ", "   "), 10);
	ck_assert_uint_eq(owed("PBQE", "    "), 10);
	ck_assert_uint_eq(owed("QPB", "   "), 10);
	ck_assert_uint_eq(owed("Q", "o"), 0);
}
END_TEST

START_TEST(test_whose_is_the_front)
{
	struct expect e;

	expect_init(&e);
	ck_assert(!expect_is_ours(&e));
	ck_assert_int_eq(expect_request(&e, 'Q', true), 0);
	ck_assert_int_eq(expect_request(&e, 'Q', false), 0);
	ck_assert(expect_is_ours(&e));
	ck_assert_int_eq(expect_reply(&e, 'C'), EXPECT_SWALLOW);
	ck_assert(expect_is_ours(&e));
	ck_assert_int_eq(expect_reply(&e, 'Z'), EXPECT_SWALLOW);
	ck_assert(!expect_is_ours(&e));
	expect_fini(&e);
}
END_TEST

SUITE_MAIN("expect", test_against_the_model, test_every_byte_at_every_front, test_every_byte_when_nothing_is_owed,
	   test_sync_in_copy_and_error, test_long_pipeline, test_what_is_owed, test_whose_is_the_front)
