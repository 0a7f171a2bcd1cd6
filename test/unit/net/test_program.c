/*
 * test_program.c - programs that do as they should, and those that fail, print too much, hang, hide or leave others behind.
 */
#include "net/program.h"

#include "base/clock.h"
#include "test/unit/base/suite.h"

#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct buf out;
static char error[PROGRAM_ERROR_MAX], said[PROGRAM_SAID_MAX];

/* A script of /bin/sh, with seconds to live. */
static int run(const char *script, unsigned seconds)
{
	char *argv[] = {(char *)"/bin/sh", (char *)"-c", (char *)script, NULL};
	const struct program p = {
		.argv = argv,
		.extra = {"FYNIXPOOL_USER=me", "FYNIXPOOL_DATABASE=my base"},
		.out_max = 1000,
		.until = clock_mono_us() + seconds * CLOCK_US_PER_SEC,
	};

	buf_fini(&out);
	buf_init(&out, 4000);
	return program_run(&p, &out, error, said);
}

START_TEST(what_it_prints)
{
	ck_assert_int_eq(run("echo secret; echo other", 20), 0);
	ck_assert_str_eq(buf_text(&out), "secret\nother\n");
	ck_assert_str_eq(said, "");
	ck_assert_int_eq(run(":", 20), 0);
	ck_assert_uint_eq(out.len, 0);
	ck_assert_int_eq(run("printf %01000d 0", 20), 0);
	ck_assert_uint_eq(out.len, 1000);
	ck_assert_int_eq(run("echo warning >&2; echo pw", 20), 0);
	ck_assert_str_eq(said, "warning");
}
END_TEST

START_TEST(failures)
{
	ck_assert_int_eq(run("echo secret; echo >&2; echo no such key >&2; echo more >&2; exit 3", 20), -1);
	ck_assert_str_eq(error, "ended with status 3");
	ck_assert_str_eq(said, "no such key");
	ck_assert_int_eq(run("kill -9 $$", 20), -1);
	ck_assert_str_eq(error, "was ended by signal 9");
	ck_assert_int_eq(run("printf %01001d 0; sleep 60", 20), -1);
	ck_assert_str_eq(error, "printed too much");
	ck_assert_int_eq(run("head -c 300 /dev/zero | tr '\\0' '\\033' >&2; exit 1", 20), -1);
	ck_assert_uint_eq(strlen(said), PROGRAM_SAID_MAX - 1);
	ck_assert_uint_eq(strspn(said, "?"), PROGRAM_SAID_MAX - 1);
}
END_TEST

START_TEST(not_there)
{
	char *argv[] = {(char *)"/nonexistent/program", NULL};
	const struct program p = {.argv = argv, .out_max = 10, .until = clock_mono_us() + 20 * CLOCK_US_PER_SEC};

	buf_init(&out, 4000);
	ck_assert_int_eq(program_run(&p, &out, error, said), -1);
	ck_assert_str_eq(error, "cannot be run: No such file or directory");
}
END_TEST

START_TEST(deadlines)
{
	uint64_t begun = clock_mono_us();

	/* its children go with it */
	ck_assert_int_eq(run("echo half; sleep 60 & sleep 60", 1), -1);
	ck_assert_str_eq(error, "did not end in time");
	ck_assert_int_eq(run("exec >&- 2>&-; sleep 60", 1), -1);
	ck_assert_str_eq(error, "did not end in time");
	/* somebody who has left the group holds the pipe */
	ck_assert_int_eq(run("setsid sleep 15 & exit 0", 5), -1);
	ck_assert_str_eq(error, "has left its output open");
	ck_assert_uint_lt(clock_mono_us() - begun, 50 * CLOCK_US_PER_SEC);
}
END_TEST

START_TEST(its_surroundings)
{
	sigset_t block, before;

	ck_assert_int_eq(setenv("DATABASE_URL", "postgres://u:canary@h/d", 1), 0);
	ck_assert_int_eq(setenv("PGPASSWORD", "canary", 1), 0);
	ck_assert_int_eq(setenv("HOME", "/somewhere", 1), 0);
	ck_assert_int_eq(run("env | grep -c canary; echo $HOME $FYNIXPOOL_USER $FYNIXPOOL_DATABASE", 20), 0);
	ck_assert_str_eq(buf_text(&out), "0\n/somewhere me my base\n");
	/* nothing of ours is open in it */
	ck_assert_int_ge(dup(0), 0);
	ck_assert_int_eq(run("ls /proc/self/fd | wc -l; read x || echo empty", 20), 0);
	ck_assert_str_eq(buf_text(&out), "4\nempty\n");
	/* helpers have all signals blocked */
	sigfillset(&block);
	ck_assert_int_eq(sigprocmask(SIG_SETMASK, &block, &before), 0);
	ck_assert_int_eq(run("kill -TERM $$; sleep 60", 20), -1);
	ck_assert_int_eq(sigprocmask(SIG_SETMASK, &before, NULL), 0);
	ck_assert_str_eq(error, "was ended by signal 15");
}
END_TEST

SUITE_MAIN("program", what_it_prints, failures, not_there, deadlines, its_surroundings)
