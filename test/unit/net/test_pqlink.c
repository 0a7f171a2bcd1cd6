/*
 * pqlink.h against servers that are silent, away, or strange.
 */
#include "rig.h"

#include "base/clock.h"
#include "net/pqlink.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "config.h"
#include "test/unit/base/suite.h"

#ifdef HAVE_LIBPQ
/* Peers that accept and never speak, and ports where nobody is. */
START_TEST(libpq_gives_up_in_time)
{
	uint16_t port;
	int fd = rig_listen(&port), pair[2];
	struct pqlink_where where = {.host = "black", .hostaddr = "127.0.0.1", .port = port, .dbname = "d", .user = "u",
				     .sslmode = "disable"};
	struct pqlink_limit limit = {.until = clock_mono_us() + 300000, .stop_fd = -1};
	char error[256];
	uint64_t begin = clock_mono_us();

	ck_assert_ptr_null(pqlink_open(&where, &limit, error, sizeof(error)));
	ck_assert_str_eq(error, "no answer in time");
	ck_assert_uint_ge(clock_mono_us() - begin, 290000);
	ck_assert_uint_lt(clock_mono_us() - begin, 1500000);
	/* whoever wants to stop is heard at once */
	ck_assert_int_eq(pipe(pair), 0);
	ck_assert_int_eq(write(pair[1], "x", 1), 1);
	limit = (struct pqlink_limit){.until = clock_mono_us() + 60000000, .stop_fd = pair[0]};
	ck_assert_ptr_null(pqlink_open(&where, &limit, error, sizeof(error)));
	ck_assert_str_eq(error, "shutting down");
	close(pair[0]);
	close(pair[1]);
	close(fd);
	limit = (struct pqlink_limit){.until = clock_mono_us() + 2000000, .stop_fd = -1};
	ck_assert_ptr_null(pqlink_open(&where, &limit, error, sizeof(error)));
	ck_assert_msg(strstr(error, "refused") != NULL, "%s", error);
	ck_assert_ptr_null(strchr(error, '\n'));
}
END_TEST

/* A server that lets everybody in and answers with the same messages again and again. */
struct odd_server {
	int fd;
	uint16_t port;
	const char *answer; /* a message, or several */
	size_t n;
	unsigned times; /* UINT_MAX: until nobody listens */
	pthread_t thread;
};

static void *odd_serve(void *arg)
{
	static const char welcome[] = "R\0\0\0\x08\0\0\0\0K\0\0\0\x0c\0\0\0\x01\0\0\0\x02Z\0\0\0\x05I";
	struct odd_server *s = arg;
	int c = accept(s->fd, NULL, NULL);
	char in[4096];

	/* the startup packet; then Parse, Bind, Describe, Execute, Sync: what it says doesn't matter */
	if (c < 0 || recv(c, in, sizeof(in), 0) <= 0 || send(c, welcome, sizeof(welcome) - 1, MSG_NOSIGNAL) < 0 ||
	    recv(c, in, sizeof(in), 0) <= 0)
		return NULL;
	for (unsigned i = 0; i < s->times; i++)
		if (send(c, s->answer, s->n, MSG_NOSIGNAL) < 0)
			break;
	while (recv(c, in, sizeof(in), 0) > 0)
		;
	close(c);
	return NULL;
}

static enum pqlink_result ask_odd(const char *answer, size_t n, unsigned times, unsigned ms, char *error, size_t size)
{
	struct odd_server s = {.answer = answer, .n = n, .times = times};
	struct pqlink_where where = {.host = "odd", .hostaddr = "127.0.0.1", .dbname = "d", .user = "u", .sslmode = "disable"};
	struct pqlink_limit limit = {.until = clock_mono_us() + ms * UINT64_C(1000), .stop_fd = -1};
	const char *const param[] = {"{1}"};
	enum pqlink_result result;
	struct pqlink_rows rows;
	struct pqlink *link;

	s.fd = rig_listen(&s.port);
	where.port = s.port;
	ck_assert_int_eq(pthread_create(&s.thread, NULL, odd_serve, &s), 0);
	link = pqlink_open(&where, &limit, error, size);
	ck_assert_msg(link != NULL, "%s", error);
	result = pqlink_ask(link, "SELECT $1", param, 1, &limit, &rows, error, size);
	ck_assert_uint_lt(clock_mono_us(), limit.until + 2000000);
	if (result == PQLINK_OK)
		ck_assert(rows.columns == 1 && rows.rows == times && strcmp(pqlink_rows_cell(&rows, times - 1, 0), "x") == 0);
	else
		ck_assert_uint_eq(rows.rows, 0);
	pqlink_rows_fini(&rows);
	pqlink_close(link);
	close(s.fd);
	pthread_join(s.thread, NULL);
	return result;
}

#define ODD_READY "1\0\0\0\x04" "2\0\0\0\x04" "T\0\0\0\x1a\0\1" "a\0" "\0\0\0\0\0\0\0\0\0\x19\xff\xff\0\0\0\0\0\0"

/* Whatever a server answers is bounded in size and time. */
START_TEST(libpq_among_strange_servers)
{
	static const char copy[] = "1\0\0\0\x04" "2\0\0\0\x04" "n\0\0\0\x04" "G\0\0\0\x07\0\0\0";
	static const char notice[] = "N\0\0\0\x0d" "SNOTICE\0\0";
	static const char error_message[] = "E\0\0\0\x1c" "SERROR\0C42501\0Mnot you\0\0" "Z\0\0\0\x05I";
	static const char row[] = ODD_READY "D\0\0\0\x0b\0\1\0\0\0\1x" "C\0\0\0\x0dSELECT 1\0" "Z\0\0\0\x05I";
	static char flood[64 + 5000 * 12], fat[64 + 2000000];
	char text[256];
	size_t n = sizeof(ODD_READY) - 1;

	ck_assert_int_eq(ask_odd(row, sizeof(row) - 1, 1, 5000, text, sizeof(text)), PQLINK_OK);
	memcpy(flood, ODD_READY, n);
	for (unsigned i = 0; i < 5000; i++, n += 12)
		memcpy(flood + n, "D\0\0\0\x0b\0\1\0\0\0\1x", 12);
	ck_assert_int_eq(ask_odd(flood, n, 1, 5000, text, sizeof(text)), PQLINK_LOST);
	ck_assert_str_eq(text, "the answer is too large");
	n = sizeof(ODD_READY) - 1;
	memcpy(fat, ODD_READY, n);
	memcpy(fat + n, "D\0\x1e\x84\x8a\0\1\0\x1e\x84\x80", 11); /* one cell of 2,000,000 bytes */
	memset(fat + n + 11, 'f', 2000000);
	ck_assert_int_eq(ask_odd(fat, n + 11 + 2000000, 1, 5000, text, sizeof(text)), PQLINK_LOST);
	ck_assert_str_eq(text, "the answer is too large");
	ck_assert_int_eq(ask_odd(notice, sizeof(notice) - 1, UINT32_MAX, 300, text, sizeof(text)), PQLINK_LOST);
	ck_assert_str_eq(text, "no answer in time");
	ck_assert_int_eq(ask_odd(copy, sizeof(copy) - 1, 1, 1000, text, sizeof(text)), PQLINK_LOST);
	ck_assert_int_eq(ask_odd("\xff\xff\xff\xff\xff", 5, 1, 1000, text, sizeof(text)), PQLINK_LOST);
	ck_assert_int_eq(ask_odd(error_message, sizeof(error_message) - 1, 1, 5000, text, sizeof(text)), PQLINK_REFUSED);
	ck_assert_msg(strstr(text, "not you") != NULL && strchr(text, '\n') == NULL, "%s", text);
}
END_TEST
#define TESTS libpq_gives_up_in_time, libpq_among_strange_servers
#else
START_TEST(without_libpq_it_says_so)
{
	struct pqlink_where where = {.host = "h"};
	char error[256];

	ck_assert_ptr_null(pqlink_open(&where, NULL, error, sizeof(error)));
	ck_assert_str_eq(error, "fynixpool was built without libpq");
}
END_TEST
#define TESTS without_libpq_it_says_so
#endif

SUITE_MAIN("pqlink", TESTS)
