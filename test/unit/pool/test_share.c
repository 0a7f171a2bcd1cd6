/* share: who waits longest is served first; strictly on one worker, within a millisecond between workers */
#include "base/rnd.h"
#include "pool/lease.h"
#include "pool/share.h"
#include "test/unit/base/suite.h"

#include <string.h>

#define PATIENCE 1000 /* microseconds */

static struct hub hub;

static struct share *begin(unsigned workers)
{
	hub_init(&hub, workers);
	return hub_share(&hub, "db", "user", false);
}

static void wait_since(struct share *share, unsigned worker, struct lease *l, uint64_t since)
{
	lease_init(l, NULL);
	l->since = since;
	share_enqueue(share, worker, l);
}

START_TEST(test_one_worker_is_strict)
{
	enum { N = 500 };
	static struct lease lease[N];
	struct share *share = begin(1);
	unsigned of;

	for (unsigned i = 0; i < N; i++)
		wait_since(share, 0, &lease[i], 1000000 + i / 3); /* some at the same moment */
	ck_assert_uint_eq(atomic_load(&share->waiters), N);
	ck_assert_uint_eq(share_oldest(share), 1000000);
	for (unsigned i = 0; i < N; i++) {
		ck_assert_ptr_eq(share_pick(share, 0, &of), &lease[i]);
		ck_assert_uint_eq(of, 0);
	}
	ck_assert_ptr_null(share_pick(share, 0, &of));
	ck_assert_uint_eq(atomic_load(&share->waiters), 0);
	ck_assert_uint_eq(share_oldest(share), 0);
	hub_fini(&hub);
}
END_TEST

START_TEST(test_place_is_kept)
{
	struct share *share = begin(1);
	struct lease l[4];
	unsigned of;

	for (unsigned i = 0; i < 4; i++)
		wait_since(share, 0, &l[i], 100 + i * 10);
	/* one is served, what it got is no good, and it comes back with its old time */
	ck_assert_ptr_eq(share_pick(share, 0, &of), &l[0]);
	ck_assert_ptr_eq(share_pick(share, 0, &of), &l[1]);
	share_enqueue(share, 0, &l[1]);
	share_enqueue(share, 0, &l[0]);
	/* one leaves */
	share_unqueue(share, &l[2]);
	ck_assert_uint_eq(atomic_load(&share->waiters), 3);
	ck_assert_ptr_eq(share_pick(share, 0, &of), &l[0]);
	ck_assert_ptr_eq(share_pick(share, 0, &of), &l[1]);
	ck_assert_ptr_eq(share_pick(share, 0, &of), &l[3]);
	ck_assert_ptr_null(share_pick(share, 0, &of));
	hub_fini(&hub);
}
END_TEST

START_TEST(test_patience_between_workers)
{
	struct share *share = begin(3);
	struct lease own, other;
	unsigned of;

	/* as long as the other has not waited more than a millisecond longer, one's own goes first */
	for (uint64_t older = 0; older <= 3 * PATIENCE; older += 100) {
		bool own_first = older <= PATIENCE;

		wait_since(share, 1, &own, 1000000);
		wait_since(share, 2, &other, 1000000 - older);
		ck_assert_ptr_eq(share_pick(share, 1, &of), own_first ? &own : &other);
		ck_assert_uint_eq(of, own_first ? 1 : 2);
		ck_assert_ptr_eq(share_pick(share, 1, &of), own_first ? &other : &own);
		ck_assert_uint_eq(of, own_first ? 2 : 1);
	}
	/* who has nobody of its own gives to the oldest, whoever it is */
	wait_since(share, 1, &own, 1001);
	wait_since(share, 2, &other, 1000);
	ck_assert_ptr_eq(share_pick(share, 0, &of), &other);
	ck_assert_ptr_eq(share_pick(share, 0, &of), &own);
	hub_fini(&hub);
}
END_TEST

/* chance: whoever is picked has at most a millisecond less of waiting than anybody, and is the oldest of its worker */
START_TEST(test_nobody_is_passed_by)
{
	enum { N = 40, WORKERS = 4, ROUNDS = 20000 };
	static struct lease lease[N];
	static unsigned worker[N];
	static bool waits[N];
	struct share *share = begin(WORKERS);
	uint64_t now = 1000000;
	unsigned picked = 0, foreign = 0;
	struct rnd r;

	rnd_seed(&r, 3);
	for (unsigned round = 0; round < ROUNDS; round++) {
		unsigned i = (unsigned)rnd_below(&r, N), of, at = (unsigned)rnd_below(&r, WORKERS), n = 0;
		struct lease *l;

		now += rnd_below(&r, 400);
		if (rnd_below(&r, 2) == 0) {
			if (waits[i] && rnd_below(&r, 8) == 0) {
				share_unqueue(share, &lease[i]);
				waits[i] = false;
			} else if (!waits[i]) {
				worker[i] = (unsigned)rnd_below(&r, WORKERS);
				wait_since(share, worker[i], &lease[i], now - rnd_below(&r, 50));
				waits[i] = true;
			}
		} else {
			l = share_pick(share, at, &of);
			for (unsigned k = 0; k < N; k++)
				n += waits[k];
			if ((l == NULL) != (n == 0))
				ck_abort_msg("%u wait and %s is served", n, l ? "one" : "nobody");
			if (l != NULL) {
				i = (unsigned)(l - lease);
				if (!waits[i] || of != worker[i])
					ck_abort_msg("a stranger is served");
				for (unsigned k = 0; k < N; k++) {
					if (!waits[k])
						continue;
					if (lease[k].since + (worker[k] == of ? 0 : PATIENCE) < l->since)
						ck_abort_msg("passed by for %u us", (unsigned)(l->since - lease[k].since));
					/* another worker's is taken only when it is older than all of one's own */
					if (of != at && worker[k] == at && lease[k].since <= l->since + PATIENCE)
						ck_abort_msg("handed over without need");
				}
				waits[i] = false;
				picked++;
				foreign += of != at;
			}
		}
		n = 0;
		for (unsigned k = 0; k < N; k++)
			n += waits[k];
		if (atomic_load(&share->waiters) != n)
			ck_abort_msg("waiters is wrong");
	}
	ck_assert_uint_gt(picked, ROUNDS / 5);
	ck_assert_uint_gt(foreign, 100);
	for (unsigned k = 0; k < N; k++)
		if (waits[k])
			share_unqueue(share, &lease[k]);
	hub_fini(&hub);
}
END_TEST

START_TEST(test_idles)
{
	struct share *share = begin(4);

	for (unsigned i = 0; i < 4; i++)
		atomic_store(&share->side[i].idle, i + 1);
	ck_assert_uint_eq(share_idle_total(share), 10);
	for (unsigned i = 0; i < 4; i++)
		ck_assert_uint_eq(share_idle_elsewhere(share, i), 10 - (i + 1));
	hub_fini(&hub);
}
END_TEST

START_TEST(test_welcome)
{
	struct share *share = begin(1);
	struct share_welcome *a, *b;
	struct params p;

	ck_assert_ptr_null(share_welcome_get(share));
	share_welcome_unref(NULL);
	params_init(&p);
	share->connecting = 4;
	/* a server that reports nothing is a server */
	share_ready(share, &p);
	a = share_welcome_get(share);
	ck_assert_ptr_nonnull(a);
	ck_assert_uint_eq(a->len, 0);
	ck_assert_int_eq(params_set(&p, "TimeZone", "UTC"), 0);
	share_ready(share, &p);
	b = share_welcome_get(share);
	ck_assert_ptr_ne(a, b);
	ck_assert_uint_eq(b->len, 1 + 4 + 9 + 4);
	ck_assert_mem_eq(b->bytes, "S\0\0\0\x11TimeZone\0UTC", b->len);
	share_welcome_unref(a);
	/* the same again is the same object */
	share_ready(share, &p);
	a = share_welcome_get(share);
	ck_assert_ptr_eq(a, b);
	share_welcome_unref(a);
	ck_assert_uint_eq(share->connecting, 1);
	ck_assert_uint_eq(share->ready, 3);
	ck_assert_uint_eq(share->ready_total, 3);
	hub_fini(&hub);
	/* who holds it reads on */
	ck_assert_mem_eq(b->bytes, "S\0\0\0\x11TimeZone", 10);
	share_welcome_unref(b);
	params_fini(&p);
}
END_TEST

SUITE_MAIN("share", test_one_worker_is_strict, test_place_is_kept, test_patience_between_workers, test_nobody_is_passed_by,
	   test_idles, test_welcome)
