/* addresses before the login: caps and delays by address, bounded memory, nobody suffers for a stranger far away */
#include "base/mem.h"
#include "session/strangers.h"
#include "test/unit/base/suite.h"

#include <string.h>

#define SECOND UINT64_C(1000000)

static struct addr at(const char *text, uint16_t port)
{
	struct addr a;

	ck_assert(addr_parse(&a, text, port));
	return a;
}

START_TEST(one_address_has_a_limit_of_its_own)
{
	struct strangers *s = strangers_new();
	struct addr a = at("10.0.0.1", 1), b = at("10.0.0.2", 1);
	uint16_t place[4], other;

	for (uint16_t i = 0; i < 3; i++) {
		a.port = i; /* means nothing */
		ck_assert(strangers_enter(s, &a, 3, 0, &place[i]));
		ck_assert_uint_ne(place[i], 0);
	}
	ck_assert(!strangers_enter(s, &a, 3, 0, &place[3]));
	ck_assert_uint_eq(place[3], 0);
	ck_assert(strangers_enter(s, &b, 3, 0, &other));
	ck_assert_uint_ne(other, place[0]);
	ck_assert(strangers_enter(s, &a, 0, 0, &place[3]));
	for (size_t i = 0; i < 4; i++)
		strangers_leave(s, place[i]);
	ck_assert(strangers_enter(s, &a, 1, 0, &place[0]));
	strangers_leave(s, place[0]);
	strangers_leave(s, other);
	strangers_leave(s, 0);
	strangers_free(s);
}
END_TEST

START_TEST(the_delay_grows_is_bounded_and_forgotten)
{
	static const unsigned eighths[] = {0, 0, 0, 1, 2, 4, 8, 8};
	struct strangers *s = strangers_new();
	struct addr a = at("10.0.0.1", 1), b = at("10.0.0.2", 1);
	uint64_t now = 5 * SECOND;

	for (unsigned i = 0; i < ARRAY_LEN(eighths); i++) {
		ck_assert_uint_eq(strangers_delay(s, &a, 8000, now), eighths[i] * 1000);
		ck_assert_uint_eq(strangers_fail(s, &a, now), i + 1);
	}
	for (unsigned i = 0; i < 1000; i++)
		ck_assert_uint_le(strangers_fail(s, &a, now), STRANGERS_FAILURES_MAX);
	ck_assert_uint_eq(strangers_delay(s, &a, 8000, now), 8000);
	ck_assert_uint_eq(strangers_delay(s, &a, 0, now), 0);
	ck_assert_uint_eq(strangers_delay(s, &b, 8000, now), 0);
	/* asking often makes no difference */
	for (unsigned i = 0; i < 1000; i++)
		(void)strangers_delay(s, &a, 8000, now + i * STRANGERS_FORGET_US / 1000);
	now += (STRANGERS_FAILURES_MAX - STRANGERS_FREE) * STRANGERS_FORGET_US;
	ck_assert_uint_eq(strangers_delay(s, &a, 8000, now - 1), 2000);
	ck_assert_uint_eq(strangers_delay(s, &a, 8000, now), 1000);
	ck_assert_uint_eq(strangers_delay(s, &a, 8000, now + STRANGERS_FORGET_US), 0);
	ck_assert_uint_eq(strangers_fail(s, &a, now + STRANGERS_FORGET_US), STRANGERS_FREE);
	ck_assert_uint_eq(strangers_fail(s, &a, now + 3600 * SECOND), 1);
	/* a clock of another thread may be a little behind */
	ck_assert_uint_eq(strangers_fail(s, &a, now), 2);
	ck_assert_uint_eq(strangers_counted(s, STRANGERS_FAILED), ARRAY_LEN(eighths) + 1000 + 3);
	strangers_free(s);
}
END_TEST

START_TEST(what_is_one_address)
{
	struct strangers *s = strangers_new();
	struct addr six = at("2001:db8:1:2::1", 1), same = at("2001:db8:1:2:ffff::9", 2), next = at("2001:db8:1:3::1", 1);
	struct addr four = at("10.0.0.1", 1), mapped = at("::ffff:10.0.0.1", 1), mapped2 = at("::ffff:10.0.0.2", 1);
	struct addr uid = {.family = ADDR_UNIX, .ip = {7}}, uid2 = {.family = ADDR_UNIX, .ip = {8}};

	for (unsigned i = 0; i < 6; i++) {
		(void)strangers_fail(s, &six, 0);
		(void)strangers_fail(s, &four, 0);
		(void)strangers_fail(s, &uid, 0);
	}
	ck_assert_uint_eq(strangers_delay(s, &same, 100, 0), 100);
	ck_assert_uint_eq(strangers_delay(s, &next, 100, 0), 0);
	ck_assert_uint_eq(strangers_delay(s, &mapped, 100, 0), 100);
	ck_assert_uint_eq(strangers_delay(s, &mapped2, 100, 0), 0);
	ck_assert_uint_eq(strangers_delay(s, &uid, 100, 0), 100);
	ck_assert_uint_eq(strangers_delay(s, &uid2, 100, 0), 0);
	strangers_free(s);
}
END_TEST

START_TEST(a_million_addresses_take_no_memory_and_refuse_nobody)
{
	enum { MANY = 20000 };
	static uint16_t place[MANY];
	struct strangers *s = strangers_new();
	struct addr a = {.family = ADDR_IPV4}, held = at("192.0.2.1", 1);
	struct strangers_row row[16];
	uint16_t mine;
	size_t pos = 0, n, rows = 0, connected = 0;

	ck_assert(strangers_enter(s, &held, 1, 0, &mine));
	for (uint32_t i = 0; i < 1000000; i++) {
		memcpy(a.ip, &i, sizeof(i));
		(void)strangers_fail(s, &a, i);
		ck_assert_uint_le(strangers_delay(s, &a, 8, i), 8);
	}
	/* whoever is connected keeps his place */
	ck_assert(!strangers_enter(s, &held, 1, 1000000, &place[0]));
	for (uint32_t i = 0; i < MANY; i++) {
		memcpy(a.ip, &i, sizeof(i));
		ck_assert(strangers_enter(s, &a, 1, 1000000, &place[i]));
		connected += place[i] != 0;
	}
	ck_assert_uint_gt(connected, 3000);
	ck_assert_uint_eq(strangers_counted(s, STRANGERS_UNFOLLOWED), MANY - connected);
	while ((n = strangers_read(s, &pos, row, ARRAY_LEN(row), 1000000)) > 0) {
		for (size_t i = 0; i < n; i++)
			connected -= row[i].connected;
		rows += n;
	}
	ck_assert_uint_eq(connected + 1, 0);
	ck_assert_uint_le(rows, 4096);
	for (uint32_t i = 0; i < MANY; i++)
		strangers_leave(s, place[i]);
	strangers_leave(s, mine);
	strangers_free(s);
}
END_TEST

START_TEST(without_a_table_nobody_is_followed)
{
	struct addr a = at("10.0.0.1", 1);
	uint16_t place = 9;
	size_t pos = 0;

	ck_assert(strangers_enter(NULL, &a, 1, 0, &place));
	ck_assert_uint_eq(place, 0);
	strangers_leave(NULL, place);
	ck_assert_uint_eq(strangers_fail(NULL, &a, 0), 0);
	ck_assert_uint_eq(strangers_delay(NULL, &a, 8, 0), 0);
	strangers_count(NULL, STRANGERS_FAILED, 1);
	ck_assert_uint_eq(strangers_counted(NULL, STRANGERS_FAILED), 0);
	ck_assert_uint_eq(strangers_read(NULL, &pos, NULL, 0, 0), 0);
}
END_TEST

SUITE_MAIN("strangers", one_address_has_a_limit_of_its_own, the_delay_grows_is_bounded_and_forgotten, what_is_one_address,
	   a_million_addresses_take_no_memory_and_refuse_nobody, without_a_table_nobody_is_followed)
