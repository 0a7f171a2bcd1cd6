/*
 * test_waitrow.c - the monitoring login's question and answer: what is sent, what is read, what is shown; places and names.
 */
#include "base/mem.h"
#include "report/waitnames.h"
#include "report/waitrow.h"
#include "test/unit/base/suite.h"

#include <stdio.h>
#include <string.h>

static const char *name(void *arg, uint32_t pid)
{
	return pid == *(uint32_t *)arg ? "C-42 joe@10.0.0.7:5123" : NULL;
}

static const char *blocked_by(const struct waitrow *row, uint32_t ours)
{
	static char text[512];
	struct buf b;

	buf_init(&b, 0);
	waitrow_blocked_by(row, name, &ours, &b);
	snprintf(text, sizeof(text), "%s", buf_text(&b));
	buf_fini(&b);
	return text;
}

START_TEST(the_statement_is_qualified_and_has_one_parameter)
{
	ck_assert_ptr_nonnull(strstr(waitrow_sql, "$1"));
	ck_assert_ptr_null(strstr(waitrow_sql, "$2"));
	ck_assert_ptr_null(strchr(waitrow_sql, '%'));
	for (const char *p = waitrow_sql; (p = strstr(p, "pg_")) != NULL; p++)
		ck_assert_msg(strncmp(p, "pg_catalog.", 11) == 0 || strncmp(p - 11, "pg_catalog.", 11) == 0, "%s", p);
}
END_TEST

START_TEST(pids_are_an_array)
{
	const uint32_t pid[] = {1, 2147483647, 33};
	struct buf b;

	buf_init(&b, 0);
	waitrow_pids(&b, pid, 3);
	ck_assert_str_eq(buf_text(&b), "{1,2147483647,33}");
	buf_reset(&b);
	waitrow_pids(&b, pid, 1);
	ck_assert_str_eq(buf_text(&b), "{1}");
	buf_fini(&b);
}
END_TEST

START_TEST(a_blocked_backend)
{
	const char *const cell[WAITROW_COLUMNS] = {"4711", "Lock", "transactionid", "active", "12,13,12,0,12"};
	struct waitrow row;

	ck_assert_int_eq(waitrow_parse(&row, cell), 0);
	ck_assert_uint_eq(row.pid, 4711);
	ck_assert(row.is_locked && !row.is_hidden && !row.has_more);
	ck_assert_str_eq(row.type, "Lock");
	ck_assert_str_eq(row.event, "transactionid");
	ck_assert_uint_eq(row.blockers, 3);
	ck_assert_str_eq(blocked_by(&row, 13), "12, 13 (C-42 joe@10.0.0.7:5123), a prepared transaction");
	ck_assert_str_eq(blocked_by(&row, 99), "12, 13, a prepared transaction");
}
END_TEST

START_TEST(backends_that_wait_for_no_lock_or_may_not_be_seen)
{
	const char *const busy[WAITROW_COLUMNS] = {"5", NULL, NULL, "active", NULL};
	const char *const idle[WAITROW_COLUMNS] = {"5", "Client", "ClientRead", "idle in transaction", NULL};
	const char *const hidden[WAITROW_COLUMNS] = {"5", NULL, NULL, NULL, NULL};
	const char *const granted[WAITROW_COLUMNS] = {"5", "Lock", "relation", "active", ""};
	struct waitrow row;

	ck_assert_int_eq(waitrow_parse(&row, busy), 0);
	ck_assert(!row.is_locked && !row.is_hidden && row.type[0] == '\0' && row.event[0] == '\0');
	ck_assert_int_eq(waitrow_parse(&row, idle), 0);
	ck_assert(!row.is_locked && !row.is_hidden);
	ck_assert_str_eq(row.event, "ClientRead");
	ck_assert_int_eq(waitrow_parse(&row, hidden), 0);
	ck_assert(row.is_hidden);
	ck_assert_int_eq(waitrow_parse(&row, granted), 0);
	ck_assert(row.is_locked && row.blockers == 0);
	ck_assert_str_eq(blocked_by(&row, 0), "");
}
END_TEST

/* Whatever calls itself a server: bounded, escaped, or refused. */
START_TEST(strange_answers)
{
	static const char *const bad_pid[] = {NULL, "", "x", "-1", "1x", "2147483648", "99999999999999999999999", " 1"};
	static const char *const bad_list[] = {",", "1,", ",1", "1,,2", "a", "1;2", "1,-2", "1,99999999999999999999"};
	char list[4096] = "1", event[4096];
	const char *cell[WAITROW_COLUMNS] = {"1", "Lock", "x\n\x1b[31m\xff", "active", NULL};
	struct waitrow row;
	size_t at = 1;

	for (size_t i = 0; i < ARRAY_LEN(bad_pid); i++) {
		cell[WAITROW_PID] = bad_pid[i];
		ck_assert_int_eq(waitrow_parse(&row, cell), -1);
	}
	cell[WAITROW_PID] = "1";
	for (size_t i = 0; i < ARRAY_LEN(bad_list); i++) {
		cell[WAITROW_BLOCKERS] = bad_list[i];
		ck_assert_msg(waitrow_parse(&row, cell) == -1, "%s", bad_list[i]);
	}
	for (unsigned i = 2; i < 500; i++)
		at += (size_t)snprintf(list + at, sizeof(list) - at, ",%u", i);
	cell[WAITROW_BLOCKERS] = list;
	ck_assert_int_eq(waitrow_parse(&row, cell), 0);
	ck_assert_uint_eq(row.blockers, WAITROW_BLOCKERS_MAX);
	ck_assert(row.has_more);
	ck_assert_ptr_nonnull(strstr(blocked_by(&row, 0), "16, ..."));
	for (const char *p = row.event; *p != '\0'; p++)
		ck_assert(*p >= ' ' && *p <= '~');
	memset(event, 'e', sizeof(event) - 1);
	event[sizeof(event) - 1] = '\0';
	cell[WAITROW_EVENT] = event;
	ck_assert_int_eq(waitrow_parse(&row, cell), 0);
	ck_assert_uint_lt(strlen(row.event), sizeof(row.event));
}
END_TEST

START_TEST(a_machine_is_its_address_and_port)
{
	struct machine a = {.where = "10.0.0.1", .port = 5432}, b = a;
	struct machine u = {.where = "/var/run/postgresql/.s.PGSQL.5432", .port = 5432, .is_unix = true};
	char folder[64];

	ck_assert(machine_is_same(&a, &b));
	b.port = 5433;
	ck_assert(!machine_is_same(&a, &b));
	b = a;
	b.where[7] = '2';
	ck_assert(!machine_is_same(&a, &b));
	ck_assert(!machine_folder(&a, folder, sizeof(folder)));
	ck_assert(machine_folder(&u, folder, sizeof(folder)));
	ck_assert_str_eq(folder, "/var/run/postgresql");
	ck_assert(!machine_folder(&u, folder, 8));
	snprintf(u.where, sizeof(u.where), "@pg/.s.PGSQL.5432");
	ck_assert(machine_folder(&u, folder, sizeof(folder)));
	ck_assert_str_eq(folder, "@pg");
}
END_TEST

START_TEST(names_are_asked_once_and_bounded)
{
	const struct machine m = {.where = "10.0.0.1", .port = 5432};
	struct waitnames *names = waitnames_new(&m, NULL, NULL);

	for (uint32_t pid = 1; pid < 200; pid++) {
		waitnames_add(names, pid);
		waitnames_add(names, pid);
	}
	ck_assert_uint_eq(names->n, WAITNAMES_MAX);
	ck_assert_ptr_null(waitnames_get(names, 5));
	snprintf(names->one[4].text, sizeof(names->one[4].text), "C-1 a@b");
	ck_assert_str_eq(waitnames_get(names, 5), "C-1 a@b");
	ck_assert_ptr_null(waitnames_get(names, 1000));
	waitnames_free(names);
}
END_TEST

SUITE_MAIN("waitrow", the_statement_is_qualified_and_has_one_parameter, pids_are_an_array, a_blocked_backend,
	backends_that_wait_for_no_lock_or_may_not_be_seen, strange_answers, a_machine_is_its_address_and_port,
	names_are_asked_once_and_bounded)
