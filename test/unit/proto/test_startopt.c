/*
 * test_startopt.c - the startup parameter "options" (V-S12).
 */
#include "proto/startopt.h"
#include "test/unit/base/suite.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Walks options and writes "name=value;" for each; "!form" or "!long" at an error. */
static const char *walk(const char *options)
{
	static char text[4 * STARTOPT_SIZE];
	char *copy = strdup(options); /* its end is the end of a heap block */
	struct startopt *o = malloc(sizeof(*o));
	const char *name, *value;
	size_t n = 0;
	int rc;

	text[0] = '\0';
	startopt_init(o, copy);
	while ((rc = startopt_next(o, &name, &value)) == 1)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s=%s;", name, value);
	if (rc < 0) {
		snprintf(text + n, sizeof(text) - n, "%s",
			strcmp(o->error, STARTOPT_ERROR_FORM) == 0   ? "!form"
			: strcmp(o->error, STARTOPT_ERROR_LONG) == 0 ? "!long"
								     : "!?");
		ck_assert_int_eq(startopt_next(o, &name, &value), -1);
	} else {
		ck_assert_int_eq(startopt_next(o, &name, &value), 0);
	}
	free(o);
	free(copy);
	return text;
}

static const struct {
	const char *options, *expected;
} cases[] = {
	{"", ""},
	{"   \t\n", ""},
	{"-c a=b", "a=b;"},
	{"-ca=b", "a=b;"},
	{"--a=b", "a=b;"},
	{"  -c   a=b  -cc=d\t--e=f  ", "a=b;c=d;e=f;"},
	{"-c a=", "a=;"},
	{"-c a==", "a==;"},
	{"-c a=b=c", "a=b=c;"},
	{"-c search_path=evil", "search_path=evil;"},
	{"-csearch_path=evil", "search_path=evil;"},
	{"--search-path=evil", "search_path=evil;"},
	{"-c search-path=a-b", "search_path=a-b;"},
	{"-c datestyle=German,\\ YMD", "datestyle=German, YMD;"},
	{"-c t\\imezone=\\P\\o\\r\\t\\ugal  -c    dat\\estyle\\=\\Ge\\rman,\\ YMD",
		"timezone=Portugal;datestyle=German, YMD;"},
	{"-c a=\\\\", "a=\\;"},
	{"-c a=b\\", "a=b;"},
	{"-c=", "!form"},
	{"-c", "!form"},
	{"-c ", "!form"},
	{"-c a", "!form"},
	{"-c =x", "!form"},
	{"-c=x", "!form"},
	{"--", "!form"},
	{"--=x", "!form"},
	{"--a", "!form"},
	{"-", "!form"},
	{"-d", "!form"},
	{"a=b", "!form"},
	{"\\", "!form"},
	{"-c \\", "!form"},
	{"-c timezone", "!form"},
	{"-c a=b -c", "a=b;!form"},
	{"-c a=b x", "a=b;!form"},
	{"-c -c a=b", "!form"},
	{"-\\c a=b", "a=b;"},
};

START_TEST(table)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		ck_assert_msg(strcmp(walk(cases[i].options), cases[i].expected) == 0,
			"options '%s' gave '%s', not '%s'", cases[i].options, walk(cases[i].options),
			cases[i].expected);
}
END_TEST

START_TEST(longest)
{
	char *text = malloc(STARTOPT_SIZE + 100);

	/* "--" and "a=" and the value and a NUL fill the buffer */
	memset(text, 'v', STARTOPT_SIZE + 99);
	memcpy(text, "--a=", 4);
	text[STARTOPT_SIZE - 1] = '\0';
	ck_assert_uint_eq(strlen(walk(text)), STARTOPT_SIZE - 1 - 2 + 1);
	text[STARTOPT_SIZE - 1] = 'v';
	text[STARTOPT_SIZE] = '\0';
	ck_assert_str_eq(walk(text), "!long");
	memcpy(text, "-c a=", 5);
	text[STARTOPT_SIZE] = '\0';
	ck_assert_uint_eq(strlen(walk(text)), STARTOPT_SIZE - 3 + 1);
	text[STARTOPT_SIZE] = 'v';
	text[STARTOPT_SIZE + 1] = '\0';
	ck_assert_str_eq(walk(text), "!long");
	free(text);
}
END_TEST

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

START_TEST(nasty_is_cheap) /* CVE-2026-107349 and relatives: each well below 10 ms of CPU */
{
	static const char *const units[] = {"\\ ", " ", "-c ", "-ca=b ", "--a=b ", "\\\\", "-c a=b\\ "};
	enum { SIZE = 9000 };
	char *text = malloc(SIZE + 16);

	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		size_t n = 0, unit = strlen(units[i]);
		double start;

		for (; n + unit <= SIZE; n += unit)
			memcpy(text + n, units[i], unit + 1);
		start = seconds();
		(void)walk(text);
		ck_assert_msg(seconds() - start < 0.010, "%s", units[i]);
	}
	free(text);
}
END_TEST

START_TEST(sentences)
{
	ck_assert_str_eq(STARTOPT_ERROR_FORM,
		"unsupported options startup parameter: only '-c config=val' and '--config=val' are allowed");
	ck_assert_str_eq(STARTOPT_ERROR_LONG, "unsupported options startup parameter: parameter too long");
	ck_assert_str_eq(STARTOPT_ERROR_NAME, "unsupported startup parameter in options: %s");
}
END_TEST

SUITE_MAIN("startopt", table, longest, nasty_is_cheap, sentences)
