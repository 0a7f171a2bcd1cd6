/*
 * test_fields.c - error fields, names in extended-query messages, command tags, from bytes of any peer.
 */
#include "proto/cmdtag.h"
#include "proto/errfields.h"
#include "proto/msgname.h"
#include "test/unit/base/suite.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static uint8_t *last;

static uint8_t *exact(const void *p, size_t n)
{
	free(last);
	last = malloc(n ? n : 1);
	ck_assert_ptr_nonnull(last);
	memcpy(last, p, n);
	return last;
}

static void teardown(void)
{
	free(last);
	last = NULL;
}

static struct errfields fields(const void *p, size_t n)
{
	struct errfields e;

	errfields_parse(exact(p, n), n, &e);
	ck_assert_ptr_nonnull(e.severity);
	ck_assert_uint_eq(strlen(e.sqlstate), 5);
	ck_assert_ptr_nonnull(e.message);
	return e;
}

#define FIELDS(bytes) fields(bytes, sizeof(bytes) - 1)

START_TEST(error_fields) /* V-B01 */
{
	struct errfields e =
		FIELDS("SERREUR\0VERROR\0C42P01\0Mno table\0Ddetail\0Hhint\0P7\0Fx.c\0L1\0Rr\0\0");

	ck_assert_str_eq(e.severity, "ERROR");
	ck_assert_str_eq(e.sqlstate, "42P01");
	ck_assert_str_eq(e.message, "no table");
	ck_assert_str_eq(e.detail, "detail");
	ck_assert_str_eq(e.hint, "hint");
	ck_assert(!e.is_damaged);
	ck_assert(!errfields_is_fatal(&e));

	e = FIELDS("\0");
	ck_assert(!e.is_damaged);
	ck_assert_str_eq(e.severity, "ERROR");
	ck_assert_str_eq(e.sqlstate, "XX000");
	ck_assert_ptr_null(e.detail);
	e = FIELDS("");
	ck_assert(e.is_damaged);
	e = FIELDS("SFATAL\0C57P01\0\0"); /* no V, no M */
	ck_assert(errfields_is_fatal(&e));
	e = FIELDS("SFATALE\0VPANIC\0\0");
	ck_assert(errfields_is_fatal(&e));
	e = FIELDS("VERROR\0Mx\0\0");
	ck_assert_str_eq(e.sqlstate, "XX000");
	e = FIELDS("C42P01\0C57P01\0\0");
	ck_assert_str_eq(e.sqlstate, "42P01");
}
END_TEST

START_TEST(damaged_errors)
{
	static const char *const states[] = {"C\0\0", "C42P0\0\0", "C42P011\0\0", "C42p01\0\0", "C42 01\0\0"};
	struct errfields e = FIELDS("SERROR\0Mcut off");

	ck_assert(e.is_damaged);
	ck_assert_str_eq(e.severity, "ERROR");
	ck_assert_ptr_nonnull(e.message);
	e = FIELDS("SERROR\0Mtext\0"); /* no terminator */
	ck_assert(e.is_damaged);
	ck_assert_str_eq(e.message, "text");
	e = FIELDS("Mtext\0\0more");
	ck_assert(e.is_damaged);
	e = FIELDS("M");
	ck_assert(e.is_damaged);
	for (size_t i = 0; i < ARRAY_LEN(states); i++) {
		e = fields(states[i], i == 0 ? 3 : strlen(states[i]) + 2);
		ck_assert_str_eq(e.sqlstate, "XX000");
	}
	for (unsigned code = 1; code < 256; code++) {
		char body[] = "?text\0";

		body[0] = (char)code;
		e = fields(body, 7);
		ck_assert(!e.is_damaged);
	}
}
END_TEST

START_TEST(large_error)
{
	size_t n = 1 << 20;
	char *body = malloc(n);
	struct errfields e;

	memset(body, 'x', n);
	body[0] = 'M';
	e = fields(body, n);
	ck_assert(e.is_damaged);
	body[n - 2] = body[n - 1] = '\0';
	e = fields(body, n);
	ck_assert(!e.is_damaged);
	ck_assert_uint_eq(strlen(e.message), n - 3);
	free(body);
}
END_TEST

static enum msgname_answer statement(uint8_t type, const void *p, size_t have, size_t len, const char **name)
{
	return msgname_statement(type, exact(p, have), have, len, name);
}

static enum msgname_answer portal(uint8_t type, const void *p, size_t have, size_t len, const char **name)
{
	return msgname_portal(type, exact(p, have), have, len, name);
}

START_TEST(statement_names)
{
	static const char bind[] = "portal\0stmt\0\0\0\0\0\0\0";
	const char *name;

	/* Parse: the first byte tells */
	ck_assert_int_eq(statement('P', "", 0, 20, NULL), MSGNAME_MORE);
	ck_assert_int_eq(statement('P', "\0", 1, 20, NULL), MSGNAME_UNNAMED);
	ck_assert_int_eq(statement('P', "s", 1, 20, NULL), MSGNAME_NAMED);
	ck_assert_int_eq(statement('P', "s", 1, 20, &name), MSGNAME_MORE);
	ck_assert_int_eq(statement('P', "s1", 3, 20, &name), MSGNAME_NAMED);
	ck_assert_str_eq(name, "s1");
	ck_assert_int_eq(statement('P', "", 0, 0, NULL), MSGNAME_BAD);
	ck_assert_int_eq(statement('P', "abc", 3, 3, &name), MSGNAME_BAD);
	/* Bind: after the portal; at every split */
	for (size_t have = 0; have < sizeof(bind) - 1; have++) {
		enum msgname_answer short_answer = statement('B', bind, have, sizeof(bind) - 1, NULL);
		enum msgname_answer answer = statement('B', bind, have, sizeof(bind) - 1, &name);

		ck_assert_int_eq(short_answer, have < 8 ? MSGNAME_MORE : MSGNAME_NAMED);
		ck_assert_int_eq(answer, have < 12 ? MSGNAME_MORE : MSGNAME_NAMED);
		if (answer == MSGNAME_NAMED)
			ck_assert_str_eq(name, "stmt");
	}
	ck_assert_int_eq(statement('B', "\0\0", 2, 10, NULL), MSGNAME_UNNAMED);
	ck_assert_int_eq(statement('B', "portal", 6, 6, NULL), MSGNAME_BAD);
	ck_assert_int_eq(statement('B', "portal\0", 7, 7, NULL), MSGNAME_BAD);
	/* Describe, Close (V-F04) */
	ck_assert_int_eq(statement('D', "Sx\0", 3, 3, &name), MSGNAME_NAMED);
	ck_assert_str_eq(name, "x");
	ck_assert_int_eq(statement('C', "S\0", 2, 2, NULL), MSGNAME_UNNAMED);
	ck_assert_int_eq(statement('C', "Px\0", 3, 3, NULL), MSGNAME_NONE);
	ck_assert_int_eq(statement('C', "X\0", 2, 2, NULL), MSGNAME_BAD);
	ck_assert_int_eq(statement('D', "S", 1, 1, NULL), MSGNAME_BAD);
	ck_assert_int_eq(statement('D', "S", 1, 2, NULL), MSGNAME_MORE);
	ck_assert_int_eq(statement('D', "", 0, 3, NULL), MSGNAME_MORE);
	ck_assert_int_eq(statement('E', "p\0\0\0\0\0", 6, 6, NULL), MSGNAME_NONE);
	ck_assert_int_eq(statement('Q', "x", 1, 1, NULL), MSGNAME_NONE);
}
END_TEST

START_TEST(portal_names)
{
	const char *name;

	ck_assert_int_eq(portal('B', "p\0s\0", 4, 10, &name), MSGNAME_NAMED);
	ck_assert_str_eq(name, "p");
	ck_assert_int_eq(portal('B', "\0s\0", 3, 10, NULL), MSGNAME_UNNAMED);
	ck_assert_int_eq(portal('E', "p\0\0\0\0\0", 6, 6, &name), MSGNAME_NAMED);
	ck_assert_str_eq(name, "p");
	ck_assert_int_eq(portal('E', "", 0, 0, NULL), MSGNAME_BAD);
	ck_assert_int_eq(portal('D', "Pq\0", 3, 3, &name), MSGNAME_NAMED);
	ck_assert_str_eq(name, "q");
	ck_assert_int_eq(portal('D', "Sq\0", 3, 3, &name), MSGNAME_NONE);
	ck_assert_int_eq(portal('P', "s\0", 2, 9, NULL), MSGNAME_NONE);
}
END_TEST

START_TEST(every_type_byte)
{
	for (unsigned type = 0; type < 256; type++) {
		enum msgname_answer s = statement((uint8_t)type, "Sa\0b\0", 5, 5, NULL);
		enum msgname_answer p = portal((uint8_t)type, "Pa\0b\0", 5, 5, NULL);

		ck_assert_int_eq(
			s == MSGNAME_NAMED, type == 'P' || type == 'B' || type == 'D' || type == 'C');
		ck_assert_int_eq(
			p == MSGNAME_NAMED, type == 'E' || type == 'B' || type == 'D' || type == 'C');
	}
}
END_TEST

START_TEST(tags)
{
	uint64_t rows = 7;

	ck_assert_str_eq(cmdtag_text("SELECT 1", 9), "SELECT 1");
	ck_assert_ptr_null(cmdtag_text("SELECT 1", 8));
	ck_assert_ptr_null(cmdtag_text("A\0B", 4));
	ck_assert_ptr_null(cmdtag_text("", 0));
	ck_assert(cmdtag_is("DISCARD ALL", 12, "DISCARD ALL"));
	ck_assert(!cmdtag_is("DISCARD ALL", 11, "DISCARD ALL"));
	ck_assert(!cmdtag_is("DISCARD ALLS", 13, "DISCARD ALL"));
	ck_assert(cmdtag_rows("SELECT 5", 9, &rows) && rows == 5);
	ck_assert(cmdtag_rows("INSERT 0 12", 12, &rows) && rows == 12);
	ck_assert(cmdtag_rows("COPY 18446744073709551615", 26, &rows) && rows == UINT64_MAX);
	rows = 3;
	ck_assert(!cmdtag_rows("COPY 18446744073709551616", 26, &rows));
	ck_assert(!cmdtag_rows("BEGIN", 6, &rows));
	ck_assert(!cmdtag_rows("DISCARD ALL", 12, &rows));
	ck_assert(!cmdtag_rows("SELECT ", 8, &rows));
	ck_assert(!cmdtag_rows("SELECT -1", 10, &rows));
	ck_assert_uint_eq(rows, 3);
}
END_TEST

SUITE_MAIN_WITH("fields", NULL, teardown, error_fields, damaged_errors, large_error, statement_names, portal_names,
		every_type_byte, tags)
