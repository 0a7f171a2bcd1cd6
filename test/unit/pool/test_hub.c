/* hub: limits hold for the process, not by one more, not for a moment, whatever threads do */
#include "pool/hub.h"
#include "pool/share.h"
#include "test/unit/base/suite.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define THREADS 4

static struct hub hub;

/* ---- one thread: which limit says no ---- */

START_TEST(test_answers)
{
	struct conf_limits l = {.max_db_connections = 3, .max_user_connections = 4}, none = {0};
	struct share *a, *b, *c;

	hub_init(&hub, 1);
	a = hub_share(&hub, "db1", "ann", false);
	b = hub_share(&hub, "db1", "bob", false);
	c = hub_share(&hub, "db2", "ann", false);
	ck_assert_ptr_eq(a, hub_share(&hub, "db1", "ann", false));
	ck_assert_ptr_ne(a, b);
	/* "db1" + "ann" is not "db1ann" + "" */
	ck_assert_ptr_ne(a, hub_share(&hub, "db1ann", "", false));
	/* of our own questions: another one, under the same names and limits */
	ck_assert_ptr_ne(a, hub_share(&hub, "db1", "ann", true));
	ck_assert_ptr_eq(hub_share(&hub, "db1", "ann", true)->user_tally, a->user_tally);
	ck_assert(hub_share(&hub, "db1", "ann", true)->is_ours && !a->is_ours);
	ck_assert_ptr_ne(hub_share(&hub, "d", "b1ann", false), hub_share(&hub, "db", "1ann", false));
	ck_assert_int_eq(hub_take_server(&hub, a, 2, &l), HUB_OK);
	ck_assert_int_eq(hub_take_server(&hub, a, 2, &l), HUB_OK);
	ck_assert_int_eq(hub_take_server(&hub, a, 2, &l), HUB_POOL_FULL);
	ck_assert(!a->is_starved);
	ck_assert_int_eq(hub_take_server(&hub, b, 2, &l), HUB_OK);
	ck_assert_int_eq(hub_take_server(&hub, b, 2, &l), HUB_DATABASE_FULL);
	ck_assert(b->is_starved);
	ck_assert_int_eq(hub_take_server(&hub, c, 0, &l), HUB_OK);
	ck_assert_int_eq(hub_take_server(&hub, c, 0, &l), HUB_OK);
	ck_assert_int_eq(hub_take_server(&hub, c, 0, &l), HUB_USER_FULL);
	ck_assert(c->is_starved);
	ck_assert_int_eq(hub_take_server(&hub, c, 0, &l), HUB_USER_FULL);
	hub_give_server(&hub, a);
	ck_assert(!b->is_starved && !c->is_starved);
	ck_assert_int_eq(hub_take_server(&hub, b, 2, &l), HUB_OK);
	ck_assert_int_eq(hub_take_server(&hub, c, 0, &l), HUB_OK);
	/* 0 is no limit */
	for (unsigned i = 0; i < 1000; i++)
		ck_assert_int_eq(hub_take_server(&hub, a, 0, &none), HUB_OK);
	hub_fini(&hub);
}
END_TEST

START_TEST(test_limit_names)
{
	for (unsigned i = HUB_OK; i <= HUB_USER_CLIENTS_FULL; i++) {
		ck_assert_ptr_nonnull(hub_limit_name((enum hub_answer)i));
		ck_assert_int_eq(hub_limit_name((enum hub_answer)i)[0] == '\0', i == HUB_OK);
	}
}
END_TEST

START_TEST(test_pause_and_disable)
{
	struct share *a, *b;

	hub_init(&hub, 1);
	a = hub_share(&hub, "db1", "u", false);
	b = hub_share(&hub, "db2", "u", false);
	ck_assert(hub_pause(&hub, "db1", true));
	ck_assert(!hub_pause(&hub, "db1", true));
	ck_assert(atomic_load(&a->is_paused) && !atomic_load(&b->is_paused));
	ck_assert(hub_is_paused(&hub, "db1") && !hub_is_paused(&hub, "db2") && !hub_is_paused(&hub, NULL));
	/* one that is made later is paused as well */
	ck_assert(atomic_load(&hub_share(&hub, "db1", "v", false)->is_paused));
	ck_assert(hub_pause(&hub, NULL, true));
	ck_assert(atomic_load(&b->is_paused) && hub_is_paused(&hub, NULL) && !hub_is_paused(&hub, "db2"));
	ck_assert(hub_pause(&hub, NULL, false));
	ck_assert(atomic_load(&a->is_paused) && !atomic_load(&b->is_paused));
	ck_assert(hub_pause(&hub, "db1", false));
	ck_assert(!atomic_load(&a->is_paused));
	ck_assert(hub_disable(&hub, "db2", true));
	ck_assert(atomic_load(&b->is_disabled) && !atomic_load(&a->is_disabled) && hub_is_disabled(&hub, "db2"));
	ck_assert(atomic_load(&hub_share(&hub, "db2", "w", false)->is_disabled));
	ck_assert(hub_disable(&hub, "db2", false));
	ck_assert(!hub_is_disabled(&hub, "db2") && !hub_is_disabled(&hub, "never heard of"));
	hub_fini(&hub);
}
END_TEST

START_TEST(test_clients)
{
	struct hub_counts n;
	unsigned servers, clients;

	hub_init(&hub, 1);
	ck_assert_int_eq(hub_take_client(&hub, 3, 2), HUB_OK);
	ck_assert_int_eq(hub_take_client(&hub, 3, 2), HUB_OK);
	/* refused, and still counted until it is closed */
	ck_assert_int_eq(hub_take_client(&hub, 3, 2), HUB_LOGINS_FULL);
	ck_assert_int_eq(hub_take_client(&hub, 2, 0), HUB_CLIENTS_FULL);
	/* without a seat each: one that comes gets it, wherever it comes from, and no other */
	ck_assert(!hub_take_seat(&hub, 2));
	ck_assert(hub_take_seat(&hub, 3) && !hub_take_seat(&hub, 3));
	ck_assert_int_eq(hub_take_client(&hub, 3, 0), HUB_CLIENTS_FULL);
	hub_give_client(&hub, true, false);
	hub_give_seat(&hub);
	ck_assert(hub_take_seat(&hub, 3));
	hub_give_client(&hub, true, true);
	hub_give_client(&hub, true, false);
	ck_assert_int_eq(hub_take_login(&hub, "db", "u", 1, 0), HUB_OK);
	ck_assert_int_eq(hub_take_login(&hub, "db", "v", 1, 0), HUB_DATABASE_CLIENTS_FULL);
	ck_assert_int_eq(hub_take_login(&hub, "db2", "u", 0, 1), HUB_USER_CLIENTS_FULL);
	hub_tally_database(&hub, "db", &servers, &clients);
	ck_assert_uint_eq(clients, 1);
	hub_tally_user(&hub, "v", &servers, &clients);
	ck_assert_uint_eq(clients, 0);
	hub_count(&hub, &n);
	ck_assert_uint_eq(n.clients, 2);
	ck_assert_uint_eq(n.logins, 1);
	hub_give_login(&hub, "db", "u");
	hub_give_client(&hub, false, true);
	hub_give_client(&hub, true, true);
	hub_count(&hub, &n);
	ck_assert(n.clients == 0 && n.logins == 0 && hub.seats == 0);
	hub_fini(&hub);
}
END_TEST

/* ---- many threads ---- */

static struct share *shares[4];
static const struct conf_limits stress_limits = {.max_db_connections = 7, .max_user_connections = 6};
#define POOL_CAP 4
static _Atomic int in_pool[4], in_db[2], in_user[2], inside;
static _Atomic unsigned taken, refused, over;
static _Atomic uint64_t seen_ids;

/* a count of our own, one step behind taking and one ahead of giving: it can only be too small */
static void enter(_Atomic int *count, int max)
{
	if (atomic_fetch_add(count, 1) + 1 > max)
		atomic_fetch_add(&over, 1);
}

static void *take_and_give(void *arg)
{
	unsigned x = 12345 + 977 * (unsigned)(uintptr_t)arg, held[16], n = 0;

	for (unsigned i = 0; i < 40000; i++) {
		x = x * 1664525 + 1013904223;
		if (n < 16 && (x >> 16) % 3 != 0) {
			unsigned s = (x >> 20) % 4;

			if (hub_take_server(&hub, shares[s], POOL_CAP, &stress_limits) == HUB_OK) {
				enter(&in_pool[s], POOL_CAP);
				enter(&in_db[s / 2], 7);
				enter(&in_user[s % 2], 6);
				atomic_fetch_add(&taken, 1);
				held[n++] = s;
			} else {
				atomic_fetch_add(&refused, 1);
			}
		} else if (n > 0) {
			unsigned s = held[--n];

			atomic_fetch_sub(&in_pool[s], 1);
			atomic_fetch_sub(&in_db[s / 2], 1);
			atomic_fetch_sub(&in_user[s % 2], 1);
			hub_give_server(&hub, shares[s]);
		}
	}
	while (n > 0) {
		unsigned s = held[--n];

		atomic_fetch_sub(&in_pool[s], 1);
		atomic_fetch_sub(&in_db[s / 2], 1);
		atomic_fetch_sub(&in_user[s % 2], 1);
		hub_give_server(&hub, shares[s]);
	}
	return NULL;
}

static void run(void *(*fn)(void *))
{
	pthread_t t[THREADS];

	for (uintptr_t i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&t[i], NULL, fn, (void *)i), 0);
	for (unsigned i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_join(t[i], NULL), 0);
}

START_TEST(test_server_limits_under_threads)
{
	unsigned servers, clients;

	hub_init(&hub, THREADS);
	shares[0] = hub_share(&hub, "db0", "u0", false);
	shares[1] = hub_share(&hub, "db0", "u1", false);
	shares[2] = hub_share(&hub, "db1", "u0", false);
	shares[3] = hub_share(&hub, "db1", "u1", false);
	run(take_and_give);
	ck_assert_uint_eq(atomic_load(&over), 0);
	ck_assert_uint_gt(atomic_load(&taken), 1000);
	ck_assert_uint_gt(atomic_load(&refused), 1000);
	for (unsigned s = 0; s < 4; s++)
		ck_assert_uint_eq(share_servers(shares[s]), 0);
	hub_tally_database(&hub, "db0", &servers, &clients);
	ck_assert_uint_eq(servers, 0);
	hub_tally_user(&hub, "u1", &servers, &clients);
	ck_assert_uint_eq(servers, 0);
	/* and all places can be taken again: none was lost */
	for (unsigned i = 0; i < 4; i++)
		ck_assert_int_eq(hub_take_server(&hub, shares[0], POOL_CAP, &stress_limits), HUB_OK);
	ck_assert_int_eq(hub_take_server(&hub, shares[0], POOL_CAP, &stress_limits), HUB_POOL_FULL);
	hub_fini(&hub);
}
END_TEST

static void *connect_and_leave(void *arg)
{
	char db[8];
	unsigned x = 99 + 7 * (unsigned)(uintptr_t)arg;

	for (unsigned i = 0; i < 30000; i++) {
		enum hub_answer answer = hub_take_client(&hub, 3, 0);

		x = x * 1664525 + 1013904223;
		snprintf(db, sizeof(db), "d%u", (x >> 20) % 3);
		atomic_fetch_xor(&seen_ids, hub_next_id(&hub));
		if (answer != HUB_OK) {
			atomic_fetch_add(&refused, 1);
			if (!hub_take_seat(&hub, 3)) {
				hub_give_client(&hub, true, false);
				continue;
			}
		}
		enter(&inside, 3);
		if (hub_take_login(&hub, db, "u", 2, 0) == HUB_OK) {
			enter(&in_pool[db[1] - '0'], 2);
			atomic_fetch_add(&taken, 1);
			atomic_fetch_sub(&in_pool[db[1] - '0'], 1);
			atomic_fetch_sub(&inside, 1);
			hub_give_login(&hub, db, "u");
			hub_give_client(&hub, false, true);
		} else {
			atomic_fetch_sub(&inside, 1);
			hub_give_client(&hub, true, true);
		}
	}
	return NULL;
}

START_TEST(test_client_limits_under_threads)
{
	struct hub_counts n;
	uint64_t all = 0;

	hub_init(&hub, THREADS);
	run(connect_and_leave);
	ck_assert_uint_eq(atomic_load(&over), 0);
	ck_assert_uint_gt(atomic_load(&taken), 1000);
	hub_count(&hub, &n);
	ck_assert(n.clients == 0 && n.logins == 0);
	/* ids 1 to N, each once */
	for (uint64_t i = 1; i <= (uint64_t)THREADS * 30000; i++)
		all ^= i;
	ck_assert_uint_eq(atomic_load(&seen_ids), all);
	ck_assert_uint_eq(hub_next_id(&hub), (uint64_t)THREADS * 30000 + 1);
	hub_fini(&hub);
}
END_TEST

static void *make_shares(void *arg FX_UNUSED)
{
	char name[16];

	for (unsigned i = 0; i < 500; i++) {
		snprintf(name, sizeof(name), "db%u", i);
		if (strcmp(hub_share(&hub, name, "u", false)->database, name) != 0)
			atomic_fetch_add(&over, 1);
	}
	return NULL;
}

START_TEST(test_shares_under_threads)
{
	struct hub_counts n;

	hub_init(&hub, THREADS);
	run(make_shares);
	ck_assert_uint_eq(atomic_load(&over), 0);
	hub_count(&hub, &n);
	ck_assert_uint_eq(n.pools, 500);
	ck_assert_uint_eq(n.databases, 500);
	ck_assert_uint_eq(n.users, 1);
	hub_fini(&hub);
}
END_TEST

SUITE_MAIN("hub", test_answers, test_limit_names, test_pause_and_disable, test_clients, test_server_limits_under_threads,
	   test_client_limits_under_threads, test_shares_under_threads)
