/* expect: against an independent model of how PostgreSQL answers, and every reply byte in every front state */
#include "base/rnd.h"
#include "server/expect.h"
#include "server/owed.h"
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

/* a client whose messages wait for the pooler, messages under way to the server, the server, and what the pooler makes
 * of its replies; beside it the same server without a pooler, which is told the same */
struct world {
	struct rnd rnd, chance, chance_direct;
	struct pgscript pg, direct;
	struct expect expect;
	struct pgscript_message in[WAY], way[WAY];
	unsigned in_first, in_last, first, last, no;
	bool has_function; /* a FunctionCall inside a batch: the queue may be more careful than it must */
	char got[WAY * 64], must[WAY * 64]; /* replies for the client */
	size_t got_len, must_len;
	char trace[16384];
	size_t traced;
};

struct totals {
	unsigned long scripts, replies, quiet, ambiguous, errors, copies, waits, flushes, probes, rouses, drops, doubts;
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

static void note(char *list, size_t *len, uint8_t type)
{
	MUST(*len + 1 < WAY * 64, "too many replies");
	list[(*len)++] = (char)type;
	list[*len] = '\0';
}

/* what the server without a pooler says to the client */
static void direct_says(struct world *w)
{
	w->direct.visible = w->direct.last;
	for (struct pgscript_reply r; pgscript_next(&w->direct, &r);)
		if (!r.to.ours)
			note(w->must, &w->must_len, r.type);
}

static void client_sends(struct world *w, uint8_t type, bool ours)
{
	struct pgscript_message m = {.type = type, .ours = ours, .is_probe = ours && type == 'S', .no = w->no++};

	MUST(w->in_last < WAY, "too much said");
	trace(w, ' ', type, ours ? 'o' : 'c');
	w->in[w->in_last++] = m;
	pgscript_take(&w->direct, m);
	direct_says(w);
}

static void goes(struct world *w, struct pgscript_message m)
{
	MUST(w->last < WAY, "too much under way");
	trace(w, m.is_probe ? '?' : '-', m.type, m.ours ? 'o' : 'c');
	w->way[w->last++] = m;
}

static void pooler_says(struct world *w, uint8_t type)
{
	goes(w, (struct pgscript_message){.type = type, .ours = true, .is_probe = true, .no = w->no++});
}

static bool pooler_asks(struct world *w, struct totals *t)
{
	if (!expect_wants_probe(&w->expect))
		return false;
	MUST(expect_probe(&w->expect) == 0, "no memory");
	pooler_says(w, 'C');
	pooler_says(w, 'S');
	t->probes++;
	return true;
}

/* as doubt_wait does */
static bool pooler_waits(struct world *w, struct totals *t)
{
	t->waits++;
	if (pooler_asks(w, t))
		return true;
	if (expect_wants_rouse(&w->expect)) {
		MUST(expect_rouse(&w->expect) == 0, "no memory");
		pooler_says(w, 'S');
		t->rouses++;
		return true;
	}
	if (!expect_wants_flush(&w->expect))
		return false;
	MUST(expect_request(&w->expect, 'H', true) == 0, "no memory");
	pooler_says(w, 'H');
	t->flushes++;
	return true;
}

/* the pooler reads the client's next message; false: nothing has changed */
static bool pooler_takes(struct world *w, struct totals *t)
{
	struct pgscript_message m;

	if (w->in_first == w->in_last)
		return false;
	m = w->in[w->in_first];
	switch (expect_admit(&w->expect, m.type)) {
	case EXPECT_WAIT:
		return pooler_waits(w, t);
	case EXPECT_DROP:
		trace(w, '!', m.type, ' ');
		t->drops++;
		break;
	default:
		if (m.type == 'F' && w->expect.in_batch)
			w->has_function = true;
		MUST(expect_request(&w->expect, m.type, m.ours) == 0, "no memory");
		goes(w, m);
		break;
	}
	if (++w->in_first == w->in_last)
		w->in_first = w->in_last = 0;
	return true;
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
	bool had_intruder, is_sure;

	*came = pgscript_next(&w->pg, &r);
	if (!*came)
		return true;
	trace(w, '<', r.type, r.to.ours ? 'o' : 'c');
	had_intruder = w->expect.has_intruder;
	is_sure = w->expect.doubt == 0;
	got = expect_reply(&w->expect, r.type);
	want = r.to.ours ? EXPECT_SWALLOW : EXPECT_FORWARD;
	t->replies++;
	t->errors += r.type == 'E';
	t->copies += r.type == 'G';
	t->doubts += is_sure && w->expect.doubt > 0;
	/* in doubt nobody knows whose a ReadyForQuery is, only how many the client must get */
	MUST(got == want || (!is_sure && (got == EXPECT_FORWARD || got == EXPECT_SWALLOW || got == EXPECT_STRAY)),
	     "seed %llu: verdict %d for %c, not %d:%s", (unsigned long long)seed, got, r.type, want, w->trace);
	if (got == EXPECT_FORWARD || got == EXPECT_STRAY)
		note(w->got, &w->got_len, r.type);
	if (w->expect.is_ambiguous) {
		/* that is only said where what has no place there was sent into a COPY that failed */
		MUST(r.type == 'E' && had_intruder && (r.in_copy_error || w->pg.is_dead), "seed %llu: ambiguous:%s",
		     (unsigned long long)seed, w->trace);
		MUST(!expect_is_quiet(&w->expect), "seed %llu: quiet in doubt", (unsigned long long)seed);
		t->ambiguous++;
		return false;
	}
	MUST(w->got_len <= w->must_len && memcmp(w->got, w->must, w->got_len) == 0,
	     "seed %llu: the client gets %s, without a pooler %s:%s", (unsigned long long)seed, w->got, w->must, w->trace);
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
	MUST(!may || is || w->has_function || w->expect.doubt > 0 || w->expect.is_awake,
	     "seed %llu: the server is quiet, and it is not seen:%s", (unsigned long long)seed, w->trace);
	t->quiet += is;
}

static uint8_t choose(struct world *w, bool sane)
{
	static const char any[] = "QPBDECHSFdcf", batch[] = "PBDECHS", copy[] = "dddcfSH";

	if (w->direct.in_copy && rnd_below(&w->rnd, 16) != 0)
		return (uint8_t)copy[rnd_below(&w->rnd, sizeof(copy) - 1)];
	if (sane && rnd_below(&w->rnd, 3) != 0)
		return (uint8_t)batch[rnd_below(&w->rnd, sizeof(batch) - 1)];
	return (uint8_t)any[rnd_below(&w->rnd, sizeof(any) - 1)];
}

/* until nothing moves any more */
static void drain(struct world *w, uint64_t seed, struct totals *t)
{
	bool came = true;

	while (came) {
		came = pooler_takes(w, t);
		while (server_takes(w))
			came = true;
		for (bool one = true; one; came |= one) {
			if (!reply_comes(w, seed, t, &one))
				return;
			check_quiet(w, seed, t);
		}
		came |= pooler_asks(w, t);
	}
	MUST(w->in_first == w->in_last || w->pg.is_dead, "seed %llu: a message waits for ever:%s", (unsigned long long)seed,
	     w->trace);
	MUST(w->expect.doubt == 0 || w->expect.is_skipping || w->pg.is_dead, "seed %llu: in doubt for ever:%s",
	     (unsigned long long)seed, w->trace);
}

/* after anything at all, CopyFail and Sync bring the server to rest, and the queue knows it */
static void settle(struct world *w, uint64_t seed, struct totals *t)
{
	bool ours = rnd_below(&w->rnd, 2);

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
		client_sends(w, 'S', ours);
		drain(w, seed, t);
	}
	if (w->expect.is_ambiguous || w->pg.is_dead)
		return;
	MUST(w->pg.in_copy || expect_is_quiet(&w->expect), "seed %llu: no rest:%s", (unsigned long long)seed, w->trace);
	MUST(w->got_len == w->must_len || w->pg.in_copy, "seed %llu: the client gets %s, without a pooler %s:%s",
	     (unsigned long long)seed, w->got, w->must, w->trace);
}

static void begin(struct world *w, uint64_t seed)
{
	/* all but the lists, which are long */
	w->in_first = w->in_last = w->first = w->last = w->no = 0;
	w->has_function = false;
	w->got_len = w->must_len = w->traced = 0;
	w->trace[0] = w->got[0] = w->must[0] = '\0';
	rnd_seed(&w->rnd, seed);
	pgscript_init(&w->pg, &w->chance);
	pgscript_init(&w->direct, &w->chance_direct);
	w->pg.seed = w->direct.seed = seed;
	expect_init(&w->expect);
}

static void script(uint64_t seed, struct totals *t)
{
	static struct world w;
	unsigned left;
	bool sane, came;

	begin(&w, seed);
	left = 1 + (unsigned)rnd_below(&w.rnd, 24);
	sane = rnd_below(&w.rnd, 2);
	w.pg.error_in = w.direct.error_in = rnd_below(&w.rnd, 4) == 0 ? 3 : 12;
	t->scripts++;
	while (left > 0 && !w.pg.is_dead) {
		uint8_t type;

		switch (rnd_below(&w.rnd, 6)) {
		case 0:
		case 1:
			left--;
			type = choose(&w, sane);
			/* we never say Sync in the client's place */
			client_sends(&w, type, type != 'S' && rnd_below(&w.rnd, 5) == 0);
			break;
		case 2:
			(void)pooler_takes(&w, t);
			break;
		case 3:
			(void)server_takes(&w);
			break;
		case 4:
			if (rnd_below(&w.rnd, 2))
				(void)pooler_asks(&w, t);
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

	for (uint64_t seed = 1; seed <= 200000; seed++)
		script(seed, &t);
	printf("expect: %lu scripts, %lu replies, %lu errors, %lu copies, %lu moments quiet, %lu ambiguous\n", t.scripts,
	       t.replies, t.errors, t.copies, t.quiet, t.ambiguous);
	printf("expect: in doubt %lu times; %lu waits, %lu flushes, %lu probes, %lu Syncs, %lu messages not sent\n", t.doubts,
	       t.waits, t.flushes, t.probes, t.rouses, t.drops);
	ck_assert_uint_gt(t.quiet, 100000);
	ck_assert_uint_gt(t.errors, 100000);
	ck_assert_uint_gt(t.copies, 10000);
	ck_assert_uint_gt(t.doubts, 1000);
	ck_assert_uint_gt(t.flushes, 1000);
	ck_assert_uint_gt(t.probes, 1000);
	ck_assert_uint_gt(t.rouses, 100);
	ck_assert_uint_gt(t.drops, 100);
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

/* small letters: what is said to the server, 'x' for CopyDone; all else: its replies; but '?' is our question */
struct doubt_case {
	const char *story;
	unsigned doubt; /* at the end */
	bool is_quiet;
};

static void tell(struct expect *e, const char *story, bool is_ours)
{
	for (; *story != '\0'; story++)
		if (*story == '?')
			ck_assert_msg(expect_wants_probe(e) && expect_probe(e) == 0, "%s", story);
		else if (*story >= 'a')
			ck_assert_int_eq(expect_request(e, *story == 'x' ? 'c' : (uint8_t)(*story - 'a' + 'A'), is_ours), 0);
		else
			ck_assert_msg(expect_reply(e, (uint8_t)*story) <= EXPECT_SWALLOW, "%s", story);
}

START_TEST(test_sync_in_copy_and_error)
{
	static const struct doubt_case cases[] = {
		/* the COPY's own ReadyForQuery, and none or one for the Sync */
		{"qGsE", 1, false},	{"qGsEZ", 1, false},	{"qGsEZZ", 0, true},
		{"qGsxE", 1, false},	{"qsGE", 1, false},	{"qGsEZ?3", 0, false},
		{"qGsEZ?3Z", 0, true},	{"qGsEZ?Z3Z", 0, true},	{"qGssEZ?Z3Z", 0, true},
		{"qGssEZZ?3Z", 0, true}, {"qGssEZ?ZZ3Z", 0, true},
		/* a Sync that is certain behind it */
		{"qGsxsEZZ", 1, false},	{"qGsxsEZZZ", 0, true},	{"qGsEsZZ?3Z", 0, true},
		/* ignored */
		{"qGsxCZ", 0, true},	{"qGsxCGssxCZ", 0, true}, {"qGsxCGE", 0, false}, {"qGsxCEZ", 0, true},
		{"eGsxsCZ", 0, true},	{"esGxsCZ", 0, true},
		/* the same of a batch: at least one Sync is answered if there is a certain one */
		{"esGE", 1, false},	{"esGEZ", 0, true},	{"esGEsZ", 1, false},	{"esGEsZ?3Z", 0, true},
		{"esGEsZ?Z3Z", 0, true}, {"esGxsEZ", 1, false},	{"esGxsEZZ", 0, true},	{"esGxsEZ?3Z", 0, true},
		{"eGsssEZ?ZZ3Z", 0, true}, {"eGsssEZ?Z3Z", 0, true},
		/* our question fails, which is an answer too */
		{"qGsEZ?EZ", 0, true},
	};

	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		struct expect e;

		expect_init(&e);
		tell(&e, cases[i].story, false);
		ck_assert_msg(e.doubt == cases[i].doubt && expect_is_quiet(&e) == cases[i].is_quiet, "%s: doubt %u", cases[i].story,
			      e.doubt);
		ck_assert_msg(!e.is_ambiguous, "%s", cases[i].story);
		expect_fini(&e);
	}
}
END_TEST

/* what has no place in a COPY, and an error: PostgreSQL ends the connection, unless the COPY had failed before */
START_TEST(test_intruder_in_copy)
{
	static const char *const stories[] = {"qGqE", "qqGE", "qGpE", "ebGE", "esbGE", "eGsqE"};

	for (unsigned i = 0; i < ARRAY_LEN(stories); i++) {
		struct expect e;

		expect_init(&e);
		tell(&e, stories[i], false);
		ck_assert_msg(e.is_ambiguous && !e.in_copy && !expect_is_quiet(&e), "%s", stories[i]);
		ck_assert_msg(!expect_is_sure(&e), "%s", stories[i]);
		expect_fini(&e);
	}
}
END_TEST

/* the end of a COPY that has failed, which nobody knows yet, ends the next one: nothing waits for more of it */
START_TEST(test_end_in_front_of_its_copy)
{
	struct expect e;

	expect_init(&e);
	tell(&e, "qGpbexsEZ12GCZZ", false);
	ck_assert_msg(e.is_ambiguous && !e.in_copy && e.odd_syncs == 0, "odd %u", e.odd_syncs);
	for (const char *t = "QPBDECSFHdcf"; *t != '\0'; t++)
		ck_assert_msg(expect_admit(&e, (uint8_t)*t) == EXPECT_SEND, "%c", *t);
	expect_fini(&e);
}
END_TEST

/* what must wait: for a COPY that may begin, for its end, for the end of doubt */
START_TEST(test_what_must_wait)
{
	static const struct {
		const char *story, *sent, *waits;
	} cases[] = {
		{"", "QPBDECSFHdcf", ""},	   {"q", "QPBDECSFH", "dcf"},  {"e", "QPBDECSFH", "dcf"},
		{"qG", "QPBDECSFHdcf", ""},	   {"qGx", "QPBDECSFH", "dcf"}, {"qE", "QPBDECSFHdcf", ""},
		{"qGE", "QPBDECSFHdcf", ""},   {"eE", "QPBDECSFHdcf", ""}, {"qGs", "QPBDECSFHdcf", ""},
		{"qGsx", "SH", "QPBDECFdcf"},  {"qGsE", "SHdcf", "QPBDECF"}, {"qGsEZ", "SHdcf", "QPBDECF"},
		{"qGsEZ?", "SH", "QPBDECFdcf"}, {"qGsEZ?3", "QPBDECSFH", "dcf"}, {"qGsEZZ", "QPBDECSFHdcf", ""},
		{"qGsxCZ", "QPBDECSFHdcf", ""}, {"esGE", "SHdcf", "QPBDECF"}, {"esGEZ", "QPBDECSFHdcf", ""},
	};

	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		struct expect e;

		expect_init(&e);
		tell(&e, cases[i].story, false);
		for (const char *t = cases[i].sent; *t != '\0'; t++)
			ck_assert_msg(expect_admit(&e, (uint8_t)*t) == EXPECT_SEND, "%s: %c", cases[i].story, *t);
		for (const char *t = cases[i].waits; *t != '\0'; t++)
			ck_assert_msg(expect_admit(&e, (uint8_t)*t) == EXPECT_WAIT, "%s: %c", cases[i].story, *t);
		expect_fini(&e);
	}
}
END_TEST

/* an error, no Sync since, and a Parse: the server would ignore it unless it has answered the Sync inside the COPY */
START_TEST(test_rouse)
{
	struct expect e;

	expect_init(&e);
	tell(&e, "esGE", false);
	ck_assert(expect_wants_rouse(&e) && !expect_wants_probe(&e));
	ck_assert_int_eq(expect_rouse(&e), 0);
	ck_assert(!expect_wants_rouse(&e) && !expect_wants_probe(&e));
	ck_assert_int_eq(expect_reply(&e, 'Z'), EXPECT_SWALLOW);
	tell(&e, "?3Z", false);
	/* it was ignored: so is what comes now, until a Sync */
	ck_assert(expect_admit(&e, 'P') == EXPECT_DROP && expect_admit(&e, 'Q') == EXPECT_DROP);
	ck_assert(expect_admit(&e, 'S') == EXPECT_SEND && !expect_is_quiet(&e));
	tell(&e, "sZ", false);
	ck_assert(expect_admit(&e, 'P') == EXPECT_SEND && expect_is_quiet(&e));
	/* it was answered */
	tell(&e, "esGE", false);
	ck_assert_int_eq(expect_rouse(&e), 0);
	ck_assert_int_eq(expect_reply(&e, 'Z'), EXPECT_SWALLOW);
	tell(&e, "?Z3Z", false);
	ck_assert(expect_admit(&e, 'P') == EXPECT_SEND && expect_is_quiet(&e));
	expect_fini(&e);
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
	n = owed_ready(&e) * 10 + owed_is_one_request(&e);
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

/* sent: the message behind * is watched; replies in their order */
static enum expect_fate fate(const char *sent, const char *replies)
{
	enum expect_fate fate;
	struct expect e;

	expect_init(&e);
	for (; *sent != '\0'; sent++) {
		if (*sent == '*')
			expect_watch(&e);
		else
			ck_assert_int_eq(expect_request(&e, (uint8_t)*sent, false), 0);
	}
	for (; *replies != '\0'; replies++)
		ck_assert_int_ne(expect_reply(&e, (uint8_t)*replies), EXPECT_DESYNC);
	fate = expect_watched(&e);
	expect_fini(&e);
	return fate;
}

START_TEST(test_watched)
{
	/* what is sent next in the same batch is skipped with it */
	ck_assert_int_eq(fate("*P", ""), EXPECT_WELL);
	ck_assert_int_eq(fate("B*PB", ""), EXPECT_WELL);
	/* beyond its batch only the answer tells */
	ck_assert_int_eq(fate("*PS", ""), EXPECT_UNKNOWN);
	ck_assert_int_eq(fate("*PBES", ""), EXPECT_UNKNOWN);
	ck_assert_int_eq(fate("PBES*PS", "12CZ"), EXPECT_UNKNOWN);
	ck_assert_int_eq(fate("*PS", "1"), EXPECT_WELL);
	ck_assert_int_eq(fate("*PS", "1Z"), EXPECT_WELL);
	ck_assert_int_eq(fate("*PBES", "12EZ"), EXPECT_WELL);
	/* it has failed, or was skipped for another one in front of it */
	ck_assert_int_eq(fate("*PS", "E"), EXPECT_BADLY);
	ck_assert_int_eq(fate("*PBES", "EZ"), EXPECT_BADLY);
	ck_assert_int_eq(fate("B*PES", "EZ"), EXPECT_BADLY);
	ck_assert_int_eq(fate("B*P", "E"), EXPECT_BADLY);
	/* not for one in an earlier batch, or one that came after it */
	ck_assert_int_eq(fate("BS*PS", "EZ1Z"), EXPECT_WELL);
	ck_assert_int_eq(fate("BS*PS", "EZ"), EXPECT_UNKNOWN);
	ck_assert_int_eq(fate("*PSBS", "1ZEZ"), EXPECT_WELL);
	ck_assert_int_eq(fate("Q*PS", "EZ1"), EXPECT_WELL);
	/* a newer one takes its place */
	ck_assert_int_eq(fate("*PS*PS", "EZ"), EXPECT_UNKNOWN);
	ck_assert_int_eq(fate("*PS*PS", "EZ1Z"), EXPECT_WELL);
	ck_assert_int_eq(fate("*PS*PS", "1ZEZ"), EXPECT_BADLY);
}
END_TEST

SUITE_MAIN("expect", test_against_the_model, test_every_byte_at_every_front, test_every_byte_when_nothing_is_owed,
	   test_sync_in_copy_and_error, test_intruder_in_copy, test_end_in_front_of_its_copy, test_what_must_wait, test_rouse, test_long_pipeline, test_what_is_owed, test_whose_is_the_front, test_watched)
