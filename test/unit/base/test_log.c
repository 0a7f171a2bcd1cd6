/* log: one record is one line; a reader that has stopped costs lines, not time */
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "test/unit/base/folder.h"
#include "test/unit/base/suite.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[FOLDER_MAX];
static char path[FOLDER_MAX + 8];
static char text[1 << 20];

static void setup(void)
{
	folder_make(folder);
	snprintf(path, sizeof(path), "%s/log", folder);
}

static void teardown(void)
{
	log_close();
}

static void open_log(bool json, int verbose)
{
	struct log_settings s = {.file = path, .json = json, .verbose = verbose};
	char error[256] = "";

	ck_assert_msg(log_configure(&s, error, sizeof(error)) == 0, "%s", error);
}

static const char *read_log(void)
{
	int fd = open(path, O_RDONLY);
	ssize_t n;

	ck_assert_int_ge(fd, 0);
	n = read(fd, text, sizeof(text) - 1);
	ck_assert_int_ge(n, 0);
	close(fd);
	text[n] = '\0';
	return text;
}

static int count_lines(const char *s)
{
	int n = 0;

	for (; *s != '\0'; s++)
		n += *s == '\n';
	return n;
}

START_TEST(test_form)
{
	open_log(false, 0);
	log_write(LOG_LOG, "C-0x2a: db/user@1.2.3.4:5", "login %s", "ok");
	log_write(LOG_WARNING, NULL, "no context");
	log_write(LOG_DEBUG, NULL, "not seen");
	read_log();
	ck_assert_ptr_nonnull(strstr(text, "] LOG C-0x2a: db/user@1.2.3.4:5 login ok\n"));
	ck_assert_ptr_nonnull(strstr(text, "] WARNING no context\n"));
	ck_assert_int_eq(count_lines(text), 2);
}
END_TEST

START_TEST(test_levels)
{
	open_log(false, 0);
	ck_assert(log_is_on(LOG_LOG) && !log_is_on(LOG_DEBUG) && !log_is_on(LOG_NOISE));
	open_log(false, 1);
	ck_assert(log_is_on(LOG_DEBUG) && !log_is_on(LOG_NOISE));
	open_log(false, 2);
	ck_assert(log_is_on(LOG_NOISE));
}
END_TEST

START_TEST(test_nobody_forges_a_line)
{
	open_log(false, 0);
	log_write(LOG_LOG, "C-1: a\nb", "user=%s", "x\n2026-01-01 00:00:00 UTC [1] LOG forged\x1b[2J\r");
	read_log();
	ck_assert_int_eq(count_lines(text), 1);
	ck_assert_ptr_null(strchr(text, '\x1b'));
	ck_assert_ptr_null(strchr(text, '\r'));
	ck_assert_ptr_nonnull(strstr(text, "user=x\\x0a2026"));
}
END_TEST

START_TEST(test_json)
{
	open_log(true, 0);
	log_write(LOG_ERROR, "C-1: \"q\"", "say \"hi\" \\ \n end");
	read_log();
	ck_assert_int_eq(count_lines(text), 1);
	ck_assert_ptr_nonnull(strstr(text, "\"level\":\"ERROR\""));
	ck_assert_ptr_nonnull(strstr(text, "\"context\":\"C-1: \\\"q\\\"\""));
	ck_assert_ptr_nonnull(strstr(text, "\"message\":\"say \\\"hi\\\" \\\\\\\\ \\\\x0a end\"}\n"));
}
END_TEST

/* Whatever a peer makes us say, a JSON line is whole. */
START_TEST(test_json_is_never_cut)
{
	static const char fill[] = "\"\\a\n";
	char big[8000], who[2000];

	open_log(true, 0);
	for (size_t i = 0; i < sizeof(fill) - 1; i++) {
		memset(big, fill[i], sizeof(big) - 1);
		big[sizeof(big) - 1] = '\0';
		memset(who, fill[i], sizeof(who) - 1);
		who[sizeof(who) - 1] = '\0';
		log_write(LOG_LOG, who, "%s", big);
	}
	read_log();
	ck_assert_int_eq(count_lines(text), (int)sizeof(fill) - 1);
	for (char *at = text, *nl; (nl = strchr(at, '\n')) != NULL; at = nl + 1) {
		bool inside = false;

		ck_assert_int_eq(at[0], '{');
		ck_assert_int_eq(nl[-1], '}');
		for (char *p = at; p < nl; p++) {
			if (*p == '\\')
				p++;
			else if (*p == '"')
				inside = !inside;
		}
		ck_assert(!inside);
		ck_assert_int_lt(nl - at, 4096);
	}
}
END_TEST

START_TEST(test_long_lines_are_bounded)
{
	char big[20000];

	open_log(false, 0);
	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	log_write(LOG_LOG, NULL, "%s", big);
	log_write(LOG_LOG, NULL, "next");
	read_log();
	ck_assert_int_eq(count_lines(text), 2);
	ck_assert_ptr_nonnull(strstr(text, "LOG next\n"));
}
END_TEST

START_TEST(test_bad_file_keeps_the_old_one)
{
	struct log_settings s = {.file = "/nonexistent/folder/log"};
	char error[256] = "";

	open_log(false, 0);
	ck_assert_int_eq(log_configure(&s, error, sizeof(error)), -1);
	ck_assert_ptr_nonnull(strstr(error, "/nonexistent/folder/log"));
	log_write(LOG_LOG, NULL, "still here");
	ck_assert_ptr_nonnull(strstr(read_log(), "still here"));
}
END_TEST

START_TEST(test_no_symbolic_link)
{
	struct log_settings s = {.file = path};
	char error[256] = "";

	ck_assert_int_eq(symlink("/dev/null", path), 0);
	ck_assert_int_eq(log_configure(&s, error, sizeof(error)), -1);
}
END_TEST

START_TEST(test_appends_and_rotates)
{
	char moved[FOLDER_MAX + 16];

	snprintf(moved, sizeof(moved), "%s.1", path);
	open_log(false, 0);
	log_write(LOG_LOG, NULL, "one");
	open_log(false, 0);
	log_write(LOG_LOG, NULL, "two");
	ck_assert_int_eq(count_lines(read_log()), 2);
	ck_assert_int_eq(rename(path, moved), 0);
	log_write(LOG_LOG, NULL, "three");
	open_log(false, 0);
	log_write(LOG_LOG, NULL, "four");
	ck_assert_int_eq(count_lines(read_log()), 1);
	unlink(moved);
}
END_TEST

/* Reads what is in the pipe. */
static size_t drain(int fd)
{
	size_t n = 0;
	ssize_t got;

	while (n < sizeof(text) - 1 && (got = read(fd, text + n, sizeof(text) - 1 - n)) > 0)
		n += (size_t)got;
	text[n] = '\0';
	return n;
}

START_TEST(test_stopped_reader)
{
	enum { LINES = 3000 };
	uint64_t start, dropped;
	unsigned long long told = 0;
	const char *at;
	int fd, written;

	ck_assert_int_eq(mkfifo(path, 0600), 0);
	fd = open(path, O_RDONLY | O_NONBLOCK);
	ck_assert_int_ge(fd, 0);
	open_log(false, 0);
	start = clock_mono_us();
	for (int i = 0; i < LINES; i++)
		log_write(LOG_LOG, NULL, "line %d %0100d", i, 0);
	ck_assert_uint_lt(clock_mono_us() - start, 10 * CLOCK_US_PER_SEC);
	dropped = log_dropped();
	ck_assert_uint_gt(dropped, 1000);
	drain(fd);
	written = count_lines(text);
	ck_assert_int_gt(written, 100);
	ck_assert_int_lt(written, LINES);
	/* what got through got through whole */
	ck_assert_int_eq(text[strlen(text) - 1], '\n');

	/* the reader is back: the next line comes with the number of all that were lost */
	log_write(LOG_LOG, NULL, "back");
	drain(fd);
	ck_assert_int_eq(count_lines(text), 2);
	at = strstr(text, "WARNING ");
	ck_assert_ptr_nonnull(at);
	ck_assert_int_eq(sscanf(at, "WARNING %llu log lines were lost", &told), 1);
	ck_assert_uint_eq(told, (unsigned long long)(LINES - written));
	ck_assert_ptr_nonnull(strstr(text, "LOG back\n"));
	log_write(LOG_LOG, NULL, "quiet again");
	drain(fd);
	ck_assert_int_eq(count_lines(text), 1);
	close(fd);
}
END_TEST

static void may_wait(enum log_level level, const char *context, const char *fmt, ...) FX_PRINTF(3, 4);
static void may_wait(enum log_level level, const char *context, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_vwrite(level, context, true, fmt, ap);
	va_end(ap);
}

START_TEST(test_held_lines_keep_their_order)
{
	const char *at;

	open_log(false, 0);
	may_wait(LOG_LOG, "C-0x1", "first");
	may_wait(LOG_LOG, "C-0x2", "second");
	ck_assert_str_eq(read_log(), "");
	log_write(LOG_WARNING, NULL, "third does not wait");
	ck_assert_int_eq(count_lines(read_log()), 3);
	at = strstr(text, "first");
	ck_assert_ptr_nonnull(at);
	at = strstr(at, "second");
	ck_assert_ptr_nonnull(at);
	ck_assert_ptr_nonnull(strstr(at, "third"));
	may_wait(LOG_LOG, "C-0x3", "fourth");
	log_flush();
	ck_assert_int_eq(count_lines(read_log()), 4);
	log_flush();
	ck_assert_int_eq(count_lines(read_log()), 4);
	/* no more is held than a pipe takes at once */
	for (int i = 0; i < 100; i++)
		may_wait(LOG_LOG, NULL, "line %d of a flood, which is as long as such lines are, with 100 characters or more", i);
	ck_assert_int_gt(count_lines(read_log()), 4 + 60);
	log_close();
	ck_assert_int_eq(count_lines(read_log()), 4 + 100);
}
END_TEST

START_TEST(test_held_lines_go_to_the_old_file)
{
	char other[FOLDER_MAX + 8];
	struct log_settings s = {.file = other};
	char error[256];

	snprintf(other, sizeof(other), "%s/other", folder);
	open_log(false, 0);
	may_wait(LOG_LOG, NULL, "before");
	ck_assert_int_eq(log_configure(&s, error, sizeof(error)), 0);
	ck_assert_int_eq(count_lines(read_log()), 1);
}
END_TEST

START_TEST(test_held_lines_are_counted_when_lost)
{
	struct log_settings s = {.file = "/dev/full"};
	char error[256];
	uint64_t before = log_dropped();

	ck_assert_int_eq(log_configure(&s, error, sizeof(error)), 0);
	for (int i = 0; i < 7; i++)
		may_wait(LOG_LOG, NULL, "lost %d", i);
	log_flush();
	ck_assert_uint_eq(log_dropped(), before + 7);
}
END_TEST

START_TEST(test_limit)
{
	struct log_limit l = {0};
	uint64_t now = UINT64_C(1000) * CLOCK_US_PER_SEC;
	int allowed = 0;

	for (int i = 0; i < 100; i++)
		allowed += log_limit_allows(&l, now + (uint64_t)i, 10);
	ck_assert_int_eq(allowed, 10);
	ck_assert_uint_eq(l.suppressed, 90);
	ck_assert(log_limit_allows(&l, now + CLOCK_US_PER_SEC, 10));
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_form,
		test_levels,
		test_nobody_forges_a_line,
		test_json,
		test_json_is_never_cut,
		test_long_lines_are_bounded,
		test_bad_file_keeps_the_old_one,
		test_no_symbolic_link,
		test_appends_and_rotates,
		test_stopped_reader,
		test_held_lines_keep_their_order,
		test_held_lines_go_to_the_old_file,
		test_held_lines_are_counted_when_lost,
		test_limit,
	};
	Suite *s = suite_create("log");

	folder_begin();
	suite_add(s, "log", setup, teardown, tests, ARRAY_LEN(tests));
	return suite_run(s);
}
