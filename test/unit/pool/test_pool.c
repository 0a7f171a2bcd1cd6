/* a worker's parts of pools: found by name, one for each, gone when freed */
#include "pool/pool.h"
#include "test/unit/base/folder.h"
#include "test/unit/base/suite.h"

#include "net/loop.h"
#include "server/target.h"

#include <string.h>

#define POOLS 5000

static struct hub hub;
static struct loop loop;
static struct home home;
static struct conf *conf;
static struct pool *pools[POOLS];

static void setup(void)
{
	char path[FOLDER_MAX + 16];
	struct conf_report report;
	FILE *f;

	clearenv();
	folder_make(path);
	strcat(path, "/t.ini");
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	fputs("[fynixpool]\n[databases]\n* = host=127.0.0.1\n", f);
	fclose(f);
	conf_report_init(&report);
	conf = conf_load(path, NULL, &report);
	ck_assert_msg(conf != NULL, "%s", buf_text(&report.errors));
	conf_report_fini(&report);
	hub_init(&hub, 1);
	ck_assert_int_eq(loop_init(&loop, &engine_ev_ops, 0, &home), 0);
	hub.loops[0] = &loop;
	home_init(&home, &loop, &hub, 0, conf);
}

static void teardown(void)
{
	home_fini(&home);
	loop_fini(&loop);
	hub_fini(&hub);
	conf_unref(conf);
}

static struct pool *get(unsigned i)
{
	char database[32], user[32];

	/* "a1" and "2", "a" and "12" are two */
	snprintf(database, sizeof(database), "a%u", i / 100);
	snprintf(user, sizeof(user), "%u", i % 100);
	return pool_get(&home, database, user);
}

START_TEST(test_thousands)
{
	for (unsigned i = 0; i < POOLS; i++) {
		pools[i] = get(i);
		ck_assert_ptr_nonnull(pools[i]);
		if (i > 0)
			ck_assert_ptr_ne(pools[i], pools[i - 1]);
	}
	for (unsigned i = 0; i < POOLS; i++) {
		ck_assert_ptr_eq(get(i), pools[i]);
		ck_assert_uint_eq((unsigned)atoi(pools[i]->share->database + 1), i / 100);
		ck_assert_uint_eq((unsigned)atoi(pools[i]->share->user), i % 100);
	}
}
END_TEST

START_TEST(test_freed_is_made_anew)
{
	struct pool *one = get(1), *other = get(2);
	struct share *share = one->share;

	one->stats.query_count = 7;
	pool_free(one);
	ck_assert_ptr_eq(get(2), other);
	one = get(1);
	ck_assert_ptr_eq(one->share, share);
	ck_assert_uint_eq(one->stats.query_count, 7);
	ck_assert_ptr_eq(get(1), one);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_thousands,
		test_freed_is_made_anew,
	};
	Suite *s = suite_create("pool");

	folder_begin();
	suite_add(s, "pool", setup, teardown, tests, ARRAY_LEN(tests));
	return suite_run(s);
}
