/* params: what a server reports is kept by name, in any case of letters, within bounds */
#include "base/rnd.h"
#include "server/params.h"
#include "test/unit/base/suite.h"

#include <stdio.h>
#include <string.h>

static unsigned count(const struct params *p)
{
	const char *name, *value;
	unsigned n = 0;
	size_t it = 0;

	while (params_next(p, &it, &name, &value))
		n++;
	return n;
}

START_TEST(test_set_and_get)
{
	struct params p;

	params_init(&p);
	ck_assert_ptr_null(params_get(&p, "TimeZone"));
	ck_assert_uint_eq(count(&p), 0);
	ck_assert_int_eq(params_set(&p, "TimeZone", "UTC"), 0);
	ck_assert_int_eq(params_set(&p, "DateStyle", "ISO, MDY"), 0);
	ck_assert_int_eq(params_set(&p, "application_name", ""), 0);
	ck_assert_str_eq(params_get(&p, "timezone"), "UTC");
	ck_assert_str_eq(params_get(&p, "DATESTYLE"), "ISO, MDY");
	ck_assert_str_eq(params_get(&p, "application_name"), "");
	ck_assert_ptr_null(params_get(&p, "Time"));
	ck_assert_ptr_null(params_get(&p, "TimeZoneX"));
	ck_assert_ptr_null(params_get(&p, "UTC"));
	ck_assert_int_eq(params_set(&p, "TIMEZONE", "Europe/Vienna"), 0);
	ck_assert_str_eq(params_get(&p, "TimeZone"), "Europe/Vienna");
	ck_assert_uint_eq(count(&p), 3);
	ck_assert_int_eq(params_set(&p, "timezone", "Europe/Vienna"), 0);
	ck_assert_uint_eq(count(&p), 3);
	params_fini(&p);
}
END_TEST

START_TEST(test_bounds)
{
	struct params p;
	char name[32], *big = malloc(PARAMS_MAX + 1);
	unsigned kept = 0;

	ck_assert_ptr_nonnull(big);
	memset(big, 'v', PARAMS_MAX);
	big[PARAMS_MAX] = '\0';
	params_init(&p);
	ck_assert_int_eq(params_set(&p, "small", "one"), 0);
	ck_assert_int_eq(params_set(&p, "big", big), -1);
	ck_assert_ptr_null(params_get(&p, "big"));
	/* the former value stays */
	ck_assert_int_eq(params_set(&p, "small", big), -1);
	ck_assert_str_eq(params_get(&p, "small"), "one");
	for (unsigned i = 0; i < 4 * PARAMS_NAMES; i++) {
		snprintf(name, sizeof(name), "name_%u", i);
		kept += params_set(&p, name, "v") == 0;
	}
	ck_assert_uint_eq(kept, PARAMS_NAMES - 1);
	ck_assert_uint_eq(count(&p), PARAMS_NAMES);
	/* what is there can still change */
	ck_assert_int_eq(params_set(&p, "name_5", "other"), 0);
	ck_assert_str_eq(params_get(&p, "NAME_5"), "other");
	ck_assert_str_eq(params_get(&p, "small"), "one");
	params_fini(&p);
	free(big);
}
END_TEST

/* against two plain arrays */
START_TEST(test_many_changes)
{
	enum { NAMES = 20 };
	char value[NAMES][40] = {{0}}, name[16];
	struct params p;
	struct rnd r;

	rnd_seed(&r, 7);
	params_init(&p);
	for (unsigned step = 0; step < 2000; step++) {
		unsigned i = (unsigned)rnd_below(&r, NAMES), n = (unsigned)rnd_below(&r, 30);

		memset(value[i], 'a' + (int)(step % 26), n);
		value[i][n] = '\0';
		snprintf(name, sizeof(name), step % 2 ? "Name%u" : "nAmE%u", i);
		ck_assert_int_eq(params_set(&p, name, value[i]), 0);
		i = (unsigned)rnd_below(&r, NAMES);
		snprintf(name, sizeof(name), "name%u", i);
		ck_assert_str_eq(params_get(&p, name) ? params_get(&p, name) : "", value[i]);
	}
	ck_assert_uint_eq(count(&p), NAMES);
	params_fini(&p);
}
END_TEST

SUITE_MAIN("params", test_set_and_get, test_bounds, test_many_changes)
