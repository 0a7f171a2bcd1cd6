/*
 * scratch.h - a folder of files for one test, and loading what is in them.
 *
 * Each test runs in its own process, in its own folder; the working directory is
 * that folder and the environment is empty, so names and messages are short.
 */
#ifndef TEST_UNIT_CONF_SCRATCH_H
#define TEST_UNIT_CONF_SCRATCH_H

#include "conf/conf.h"
#include "test/unit/base/folder.h"
#include "test/unit/base/suite.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char scratch_path[FOLDER_MAX];
static struct conf_report scratch_report;

static inline void scratch_setup(void)
{
	clearenv();
	umask(022);
	folder_make(scratch_path);
	ck_assert_int_eq(chdir(scratch_path), 0);
	conf_report_init(&scratch_report);
}

static inline void scratch_teardown(void)
{
	conf_report_fini(&scratch_report);
	ck_assert_int_eq(chdir("/"), 0);
}

static inline void scratch_write_bytes(const char *name, const void *p, size_t n)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0640);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, p, n), (ssize_t)n);
	close(fd);
}

static inline void scratch_write(const char *name, const char *text)
{
	scratch_write_bytes(name, text, strlen(text));
}

static inline const char *scratch_errors(void)
{
	return buf_text(&scratch_report.errors);
}

static inline const char *scratch_warnings(void)
{
	return buf_text(&scratch_report.warnings);
}

/* Writes text as "t.ini" and loads it; must succeed. */
static inline struct conf *scratch_load(const char *text)
{
	struct conf *c;

	scratch_write("t.ini", text);
	c = conf_load("t.ini", NULL, &scratch_report);
	ck_assert_msg(c != NULL, "%s", scratch_errors());
	return c;
}

/* Must fail, with this somewhere in the errors. */
static inline void scratch_refuses(const char *text, const char *why)
{
	conf_report_fini(&scratch_report);
	conf_report_init(&scratch_report);
	scratch_write("t.ini", text);
	ck_assert_msg(conf_load("t.ini", NULL, &scratch_report) == NULL, "accepted: %s", text);
	ck_assert_msg(
		strstr(scratch_errors(), why) != NULL, "wanted \"%s\" in \"%s\"", why, scratch_errors());
}

/* SUITE_MAIN with a scratch folder around each test */
#define SCRATCH_MAIN(name, ...)                                                \
	int main(void)                                                         \
	{                                                                      \
		const TTest *const tests[] = {__VA_ARGS__};                    \
		Suite *s = suite_create(name);                                 \
		TCase *t = tcase_create(name);                                 \
                                                                               \
		folder_begin();                                                \
		tcase_add_checked_fixture(t, scratch_setup, scratch_teardown); \
		tcase_set_timeout(t, 60);                                      \
		for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)  \
			tcase_add_test(t, tests[i]);                           \
		suite_add_tcase(s, t);                                         \
		return suite_run(s);                                           \
	}

#endif
