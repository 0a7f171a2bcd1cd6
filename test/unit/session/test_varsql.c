/* varsql: what is said to set a parameter is ASCII and ends where it should; RESETs of clients are read right */
#include "base/rnd.h"
#include "session/varsql.h"
#include "test/unit/base/suite.h"

#include <stdio.h>
#include <string.h>

static const char *set(struct buf *sql, const char *name, const char *value, const char *encoding,
		       enum varsql_where where)
{
	buf_reset(sql);
	varsql_set(sql, name, value, encoding, where);
	return buf_text(sql);
}

START_TEST(test_set)
{
	static const struct {
		const char *name, *value, *encoding;
		enum varsql_where where;
		const char *sql;
	} t[] = {
		{"TimeZone", "UTC", NULL, VARSQL_AT_REST, "SET TimeZone=E'UTC';"},
		{"timezone", "UTC", "LATIN1", VARSQL_IN_BLOCK, "SET TimeZone=E'UTC';"},
		{"work_mem", "", NULL, VARSQL_AT_REST, "SET \"work_mem\"=E'';"},
		{"some.var", "it's", NULL, VARSQL_AT_REST, "SET \"some\".\"var\"=E'it''s';"},
		{"a", "\\'", NULL, VARSQL_AT_REST, "SET \"a\"=E'\\\\''';"},
		{"a", "x\ny\x7f\x01", NULL, VARSQL_AT_REST, "SET \"a\"=E'x\\x0ay\\x7f\\x01';"},
		{"a", "\xc3\xa4\x83\\", NULL, VARSQL_AT_REST, "SET \"a\"=E'\\xc3\\xa4\\x83\\\\';"},
		{"a", "\xe4'", "SJIS", VARSQL_AT_REST,
		 "SELECT pg_catalog.set_config(E'a',pg_catalog.convert_from(E'\\\\xe427'::pg_catalog.bytea,E'SJIS'),false);"},
		{"search_path", "\"$user\", public", NULL, VARSQL_AT_REST,
		 "SELECT pg_catalog.set_config(E'search_path',E'\"$user\", public',false);"},
		{"search_path", "\"$user\", Public ,\"a\"\"b,c\"", NULL, VARSQL_IN_BLOCK,
		 "SET \"search_path\"=E'$user',E'public',E'a\"b,c';"},
		{"Search_Path", "", NULL, VARSQL_IN_BLOCK, "SET \"Search_Path\"=E'';"},
		{"TimeZone", "UTC", NULL, VARSQL_LOCAL, "SET LOCAL TimeZone=E'UTC';"},
		{"search_path", "a, b", NULL, VARSQL_LOCAL, "SET LOCAL \"search_path\"=E'a',E'b';"},
		{"a", "\xe4", "LATIN1", VARSQL_LOCAL,
		 "SELECT pg_catalog.set_config(E'a',pg_catalog.convert_from(E'\\\\xe4'::pg_catalog.bytea,E'LATIN1'),true);"},
		/* malformed lists: PostgreSQL says so */
		{"search_path", "a,,b", NULL, VARSQL_IN_BLOCK, "SELECT pg_catalog.set_config(E'search_path',E'a,,b',false);"},
		{"search_path", "\"", NULL, VARSQL_IN_BLOCK, "SELECT pg_catalog.set_config(E'search_path',E'\"',false);"},
		{"search_path", "\"a\"\"", NULL, VARSQL_IN_BLOCK, "SELECT pg_catalog.set_config(E'search_path',E'\"a\"\"',false);"},
		{"search_path", "a b", NULL, VARSQL_IN_BLOCK, "SELECT pg_catalog.set_config(E'search_path',E'a b',false);"},
		{"search_path", "a,", NULL, VARSQL_IN_BLOCK, "SELECT pg_catalog.set_config(E'search_path',E'a,',false);"},
	};
	struct buf sql;

	buf_init(&sql, 0);
	for (size_t i = 0; i < ARRAY_LEN(t); i++)
		ck_assert_str_eq(set(&sql, t[i].name, t[i].value, t[i].encoding, t[i].where), t[i].sql);
	buf_reset(&sql);
	varsql_reset(&sql, "some.var");
	varsql_reset(&sql, "DateStyle");
	ck_assert_str_eq(buf_text(&sql), "RESET \"some\".\"var\";RESET DateStyle;");
	buf_fini(&sql);
}
END_TEST

/* V-G: whatever the bytes, the text is printable ASCII, and reading it as PostgreSQL reads E'...' gives them back */
START_TEST(test_any_value)
{
	struct rnd rnd;
	struct buf sql;

	rnd_seed(&rnd, 7);
	buf_init(&sql, 0);
	for (unsigned round = 0; round < 10000; round++) {
		static const char likely[] = "'\\\"$;-E\x5c\x27\x81\x83\xb5";
		char value[64], back[64];
		size_t n = rnd_below(&rnd, sizeof(value)), m = 0;
		const char *p;

		for (size_t i = 0; i < n; i++) {
			value[i] = (char)(rnd_below(&rnd, 2) ? likely[rnd_below(&rnd, sizeof(likely) - 1)]
							     : (char)(1 + rnd_below(&rnd, 255)));
		}
		value[n] = '\0';
		p = set(&sql, "a.b", value, NULL, rnd_below(&rnd, 2));
		for (size_t i = 0; i < sql.len; i++)
			ck_assert(sql.data[i] >= 0x20 && sql.data[i] < 0x7f);
		ck_assert_int_eq(strncmp(p, "SET \"a\".\"b\"=E'", 14), 0);
		for (p += 14;; p++) {
			unsigned code;

			if (*p == '\'' && p[1] != '\'')
				break;
			if (*p == '\'') {
				p++;
				back[m++] = '\'';
			} else if (*p == '\\' && p[1] == '\\') {
				p++;
				back[m++] = '\\';
			} else if (*p == '\\') {
				ck_assert_int_eq(sscanf(p, "\\x%2x", &code), 1);
				back[m++] = (char)code;
				p += 3;
			} else {
				back[m++] = *p;
			}
			ck_assert_uint_le(m, n);
		}
		ck_assert_str_eq(p, "';");
		ck_assert_uint_eq(m, n);
		ck_assert_mem_eq(back, value, n);
	}
	buf_fini(&sql);
}
END_TEST

START_TEST(test_names)
{
	static const char *const good[] = {"a", "A_1$", "some.var", "a.b.c", "_x", "statement_timeout"};
	static const char *const bad[] = {"", ".", "a.", ".a", "a..b", "1a", "a.1", "a b", "a\"", "a'", "a;b", "\xc3\xa4",
					  "$a", "a-b", "a\n"};
	char long_name[400];

	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		ck_assert_msg(varsql_is_name(good[i]), "%s", good[i]);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		ck_assert_msg(!varsql_is_name(bad[i]), "%s", bad[i]);
	memset(long_name, 'x', sizeof(long_name));
	long_name[63] = '\0';
	ck_assert(varsql_is_name(long_name));
	long_name[63] = 'x';
	long_name[64] = '\0';
	ck_assert(!varsql_is_name(long_name));
	memset(long_name, 'x', sizeof(long_name));
	for (size_t i = 50; i < 400; i += 50)
		long_name[i] = '.';
	long_name[399] = '\0';
	ck_assert(!varsql_is_name(long_name));
}
END_TEST

START_TEST(test_read_reset)
{
	static const struct {
		const char *text;
		enum varsql_reset what;
		const char *name;
	} t[] = {
		{"RESET TimeZone", VARSQL_RESET_ONE, "TimeZone"},
		{"reset timezone;", VARSQL_RESET_ONE, "timezone"},
		{"  RESET\ttimezone ; ; ", VARSQL_RESET_ONE, "timezone"},
		{"/* a */ RESET -- b\n some.var -- c", VARSQL_RESET_ONE, "some.var"},
		{"RESET \"Some\".\"Var\"", VARSQL_RESET_ONE, "Some.Var"},
		{"RESET TIME ZONE", VARSQL_RESET_ONE, "TimeZone"},
		{"RESET SESSION AUTHORIZATION;", VARSQL_RESET_ONE, "session_authorization"},
		{"RESET ALL", VARSQL_RESET_ALL, NULL},
		{"SET x TO DEFAULT", VARSQL_RESET_ONE, "x"},
		{"SET x=DEFAULT;", VARSQL_RESET_ONE, "x"},
		{"set session x = default", VARSQL_RESET_ONE, "x"},
		{"SET TIME ZONE LOCAL", VARSQL_RESET_ONE, "TimeZone"},
		{"SET TIME ZONE DEFAULT", VARSQL_RESET_ONE, "TimeZone"},
		{"SET SESSION AUTHORIZATION DEFAULT", VARSQL_RESET_ONE, "session_authorization"},
		{"SET LOCAL x TO DEFAULT", VARSQL_RESET_LOCAL, "x"},
		{"set local TIME ZONE default;", VARSQL_RESET_LOCAL, "TimeZone"},
		{"SET LOCAL x TO y", VARSQL_RESET_UNKNOWN, NULL},
		{"SET x TO 'default'", VARSQL_RESET_UNKNOWN, NULL},
		{"SET x TO local", VARSQL_RESET_UNKNOWN, NULL},
		{"SET x TO y", VARSQL_RESET_UNKNOWN, NULL},
		{"RESET x; SELECT 1", VARSQL_RESET_UNKNOWN, NULL},
		{"SELECT 1; RESET x", VARSQL_RESET_UNKNOWN, NULL},
		{"RESET", VARSQL_RESET_UNKNOWN, NULL},
		{"RESET /* never closed", VARSQL_RESET_UNKNOWN, NULL},
		{"RESETx", VARSQL_RESET_UNKNOWN, NULL},
		{"SET", VARSQL_RESET_UNKNOWN, NULL},
		{"", VARSQL_RESET_UNKNOWN, NULL},
		{"\"", VARSQL_RESET_UNKNOWN, NULL},
	};
	char name[VARSQL_NAME_SIZE];

	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		enum varsql_reset what = varsql_read_reset(t[i].text, strlen(t[i].text), name);

		ck_assert_msg(what == t[i].what, "%s: %d", t[i].text, (int)what);
		if (t[i].name != NULL)
			ck_assert_str_eq(name, t[i].name);
	}
}
END_TEST

/* any bytes, in memory of exactly their size: nothing is read behind them */
START_TEST(test_read_any)
{
	static const char *const words[] = {"RESET ", "SET ", "ALL", "DEFAULT", "TO", "=", "\"", ";", "/*", "*/", "--", "\n", ".", "x",
					    "TIME ZONE", "SESSION ", "'", "\x80"};
	struct rnd rnd;

	rnd_seed(&rnd, 8);
	for (unsigned round = 0; round < 20000; round++) {
		char text[256], name[VARSQL_NAME_SIZE], *exact;
		size_t n = 0;

		for (unsigned i = (unsigned)rnd_below(&rnd, 8); i > 0; i--) {
			const char *w = words[rnd_below(&rnd, ARRAY_LEN(words))];

			memcpy(text + n, w, strlen(w));
			n += strlen(w);
		}
		exact = malloc(n > 0 ? n : 1);
		ck_assert_ptr_nonnull(exact);
		memcpy(exact, text, n);
		(void)varsql_read_reset(exact, n, name);
		free(exact);
	}
}
END_TEST

SUITE_MAIN("varsql", test_set, test_any_value, test_names, test_read_reset, test_read_any)
