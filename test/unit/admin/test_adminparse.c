/*
 * test_adminparse.c - ways to say a command, and what is none.
 */
#include "admin/adminparse.h"
#include "test/unit/base/suite.h"

#include <stdio.h>
#include <string.h>

static struct adminparse p;

static int parse(const char *text)
{
	return adminparse_command(text, strlen(text), &p);
}

START_TEST(ways_to_say_a_command)
{
	static const struct {
		const char *text, *verb;
		unsigned args;
		const char *first, *second;
	} rows[] = {
		{"show version", "SHOW", 1, "version", ""},
		{"SHOW VERSION;", "SHOW", 1, "VERSION", ""},
		{"  ShOw \t vErSiOn ; ; ", "SHOW", 1, "vErSiOn", ""},
		{"SHOW \"version\"", "SHOW", 1, "version", ""},
		{"PAUSE", "PAUSE", 0, "", ""},
		{"PAUSE Db", "PAUSE", 1, "Db", ""},
		{"PAUSE \"a \"\"b\"\" ; c\"", "PAUSE", 1, "a \"b\" ; c", ""},
		{"KILL_CLIENT '12'", "KILL_CLIENT", 1, "12", ""},
		{"kill_query pid 12", "KILL_QUERY", 2, "pid", "12"},
		{"SHOW LONG_QUERIES 2.5", "SHOW", 2, "LONG_QUERIES", "2.5"},
		{"SHOW -1", "SHOW", 1, "-1", ""},
		{"/* why */ SHOW -- what\n VERSION /**/;-- end", "SHOW", 1, "VERSION", ""},
		{"SHOW/**/VERSION", "SHOW", 1, "VERSION", ""},
		{"SHOW \"\"", "SHOW", 1, "", ""},
		{"RECONNECT db-1.x$@", "RECONNECT", 1, "db-1.x$@", ""},
		{"PAUSE \xc3\xa4", "PAUSE", 1, "\xc3\xa4", ""},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		ck_assert_msg(parse(rows[i].text) == 0, "%s: %s", rows[i].text, p.error);
		ck_assert_str_eq(p.verb, rows[i].verb);
		ck_assert_msg(p.args == rows[i].args, "%s: %u", rows[i].text, p.args);
		ck_assert_str_eq(p.arg[0], rows[i].first);
		ck_assert_str_eq(p.arg[1], rows[i].second);
		ck_assert(!p.has_value);
	}
}
END_TEST

START_TEST(ways_to_set)
{
	static const struct {
		const char *text, *key, *value;
	} rows[] = {
		{"set x=1", "x", "1"},
		{"SET x = 1;", "x", "1"},
		{"set x='y'", "x", "y"},
		{"SET x='a,b'", "x", "a,b"},
		{"SET x=a,b", "x", "a,b"},
		{"SET x TO 'va''lue'", "x", "va'lue"},
		{"SET x to 7", "x", "7"},
		{"SET x=''", "x", ""},
		{"SET \"x\" = /etc/file", "x", "/etc/file"},
		{"SET x = -1", "x", "-1"},
		{"SET x = <empty> ;", "x", "<empty>"},
		{"SET x = a=b", "x", "a=b"},
		{"SET x = \"y z\"", "x", "y z"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		ck_assert_msg(parse(rows[i].text) == 0, "%s: %s", rows[i].text, p.error);
		ck_assert_str_eq(p.verb, "SET");
		ck_assert(p.has_value && p.args == 1);
		ck_assert_str_eq(p.arg[0], rows[i].key);
		ck_assert_str_eq(p.value, rows[i].value);
	}
}
END_TEST

START_TEST(what_is_no_command)
{
	static const char *const rows[] = {
		"",
		" ",
		";",
		"-- only",
		"/* */",
		"/* no end",
		"'x'",
		"\"x\"",
		"= 1",
		"SET",
		"SET x",
		"SET x 1",
		"SET x =",
		"SET x = ;",
		"SET = 1",
		"SET 'x' = 1",
		"SET x = 'y",
		"SET x = 1 2",
		"SHOW 'version",
		"SHOW \"",
		"PAUSE a b c",
		"SHOW a = b",
		"SHOW (x)",
		"SHOW a; SHOW b",
		"SHOW a, b",
		"abcdefghijklmnop",
		"SHOW x\x01",
		"SHOW x /* no end",
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		ck_assert_msg(parse(rows[i]) < 0, "%s", rows[i]);
		ck_assert_msg(p.error[0] != '\0', "%s", rows[i]);
	}
}
END_TEST

START_TEST(lengths_have_bounds)
{
	static char text[6000];

	for (int n = 1; n < 200; n++) {
		snprintf(text, sizeof(text), "SHOW %0*d", n, 0);
		ck_assert_int_eq(parse(text), n <= ADMINPARSE_ARG_MAX ? 0 : -1);
		snprintf(text, sizeof(text), "SHOW \"%0*d\"", n, 0);
		ck_assert_int_eq(parse(text), n <= ADMINPARSE_ARG_MAX ? 0 : -1);
		snprintf(text, sizeof(text), "%.*s", n,
			"ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJKLMNOPQRSTUVWXYZ");
		ck_assert_int_eq(parse(text), n <= ADMINPARSE_VERB_MAX ? 0 : -1);
	}
	for (int n = ADMINPARSE_VALUE_MAX - 2; n < ADMINPARSE_VALUE_MAX + 3; n++) {
		snprintf(text, sizeof(text), "SET x = %0*d", n, 0);
		ck_assert_int_eq(parse(text), n <= ADMINPARSE_VALUE_MAX ? 0 : -1);
		snprintf(text, sizeof(text), "SET x = '%0*d'", n, 0);
		ck_assert_int_eq(parse(text), n <= ADMINPARSE_VALUE_MAX ? 0 : -1);
	}
	/* NULs are no blanks */
	ck_assert_int_eq(adminparse_command("SHOW\0VERSION", 12, &p), -1);
	ck_assert_int_eq(adminparse_command("SHOW \"a\0b\"", 10, &p), -1);
	ck_assert_int_eq(adminparse_command("SET x=a\0b", 9, &p), -1);
}
END_TEST

START_TEST(numbers)
{
	static const char *const bad[] = {"", "0", "-1", "+1", "1 ", " 1", "1.0", "0x", "0xg", "a", "0x0",
		"18446744073709551616", "0x10000000000000000", "1e3"};
	static const char *const bad_seconds[] = {
		"", ".", "-1", "1e3", "1.2.3", "99999999999", "inf", "nan", "1s"};
	uint64_t id;
	double s;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		ck_assert_msg(adminparse_id(bad[i], &id) < 0, "%s", bad[i]);
	ck_assert(adminparse_id("12", &id) == 0 && id == 12);
	ck_assert(adminparse_id("0x1F", &id) == 0 && id == 31);
	ck_assert(adminparse_id("18446744073709551615", &id) == 0 && id == UINT64_MAX);
	for (size_t i = 0; i < ARRAY_LEN(bad_seconds); i++)
		ck_assert_msg(adminparse_seconds(bad_seconds[i], &s) < 0, "%s", bad_seconds[i]);
	ck_assert(adminparse_seconds("2", &s) == 0 && s == 2);
	ck_assert(adminparse_seconds("0.5", &s) == 0 && s > 0.49 && s < 0.51);
	ck_assert(adminparse_seconds(".25", &s) == 0 && s > 0.24 && s < 0.26);
	ck_assert(adminparse_seconds("0", &s) == 0 && s == 0);
}
END_TEST

SUITE_MAIN("adminparse", ways_to_say_a_command, ways_to_set, what_is_no_command, lengths_have_bounds, numbers)
