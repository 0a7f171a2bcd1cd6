/* str: copying, comparing, lists, escaping */
#include "base/str.h"
#include "test/unit/base/suite.h"

#include <string.h>

START_TEST(test_copy)
{
	char out[6];

	ck_assert(str_copy(out, sizeof(out), "12345"));
	ck_assert_str_eq(out, "12345");
	ck_assert(!str_copy(out, sizeof(out), "123456"));
	ck_assert_str_eq(out, "12345");
	ck_assert(str_copy(out, sizeof(out), ""));
	ck_assert_str_eq(out, "");
	ck_assert(!str_copy(out, 1, "x"));
	ck_assert_str_eq(out, "");
	out[0] = 'z';
	ck_assert(!str_copy(out, 0, "x"));
	ck_assert_int_eq(out[0], 'z');
}
END_TEST

START_TEST(test_nocase)
{
	ck_assert(str_is_equal_nocase("ShOw", "sHoW"));
	ck_assert(str_is_equal_nocase("", ""));
	ck_assert(!str_is_equal_nocase("a", "ab"));
	ck_assert(!str_is_equal_nocase("ab", "a"));
	/* only letters have two forms: '[' and '{' differ by the same bit */
	ck_assert(!str_is_equal_nocase("[", "{"));
	ck_assert(!str_is_equal_nocase("@", "`"));
	ck_assert(!str_is_equal_nocase("\xc4", "\xe4"));
}
END_TEST

START_TEST(test_starts_with)
{
	ck_assert(str_starts_with("SCRAM-SHA-256$", "SCRAM"));
	ck_assert(str_starts_with("x", ""));
	ck_assert(!str_starts_with("", "x"));
	ck_assert(!str_starts_with("md", "md5"));
}
END_TEST

START_TEST(test_list)
{
	ck_assert(str_list_has("a,b,c", "a"));
	ck_assert(str_list_has("a,b,c", "c"));
	ck_assert(str_list_has("  a , b\t,c", "b"));
	ck_assert(!str_list_has("ab,c", "a"));
	ck_assert(!str_list_has("a b", "a"));
	ck_assert(str_list_has("a b", "a b"));
	ck_assert(!str_list_has("", "a"));
	ck_assert(!str_list_has(NULL, "a"));
	/* nobody becomes an administrator by having no name */
	ck_assert(!str_list_has("", ""));
	ck_assert(!str_list_has("a,,b", ""));
	ck_assert(!str_list_has(",", ""));
	ck_assert(!str_list_has("a, ,b", " "));
	ck_assert(!str_list_has("a,b,", ""));
	ck_assert(!str_list_has("a,b", "a,b"));
	ck_assert(!str_list_has("Admin", "admin"));
}
END_TEST

START_TEST(test_escape)
{
	char out[64];

	str_escape(out, sizeof(out), "plain \"text\"", 12);
	ck_assert_str_eq(out, "plain \"text\"");
	str_escape(out, sizeof(out), "a\nb\r\t\0\x7f\xff\\", 9);
	ck_assert_str_eq(out, "a\\x0ab\\x0d\\x09\\x00\\x7f\\xff\\\\");
	str_escape(out, sizeof(out), "\x1b[2J", 4);
	ck_assert_str_eq(out, "\\x1b[2J");
}
END_TEST

/* Never half an escape, always terminated, never past the end. */
START_TEST(test_escape_truncates)
{
	for (size_t size = 1; size < 40; size++) {
		char out[64];
		size_t n;

		memset(out, 'Z', sizeof(out));
		str_escape(out, size, "\n\n\\\\ab\n\n", 8);
		n = strlen(out);
		ck_assert_uint_lt(n, size);
		ck_assert_int_eq(out[size], 'Z');
		ck_assert(strncmp("\\x0a\\x0a\\\\\\\\ab\\x0a\\x0a", out, n) == 0);
		ck_assert(n == 0 || out[n - 1] != 'x');
	}
	str_escape(NULL, 0, "x", 1);
}
END_TEST

START_TEST(test_put)
{
	char out[64], *at = out;
	const char *end = out + sizeof(out);

	at = str_put(at, end, "a=");
	at = str_put_u64(at, end, 0);
	at = str_put(at, end, " ");
	at = str_put_u64(at, end, UINT64_MAX);
	at = str_put(at, end, " ");
	at = str_put_hex(at, end, UINT64_C(0x1234567890abcdef));
	at = str_put_most(at, end, "/abcdef", 4);
	ck_assert_str_eq(out, "a=0 18446744073709551615 1234567890abcdef/abc");
	ck_assert_ptr_eq(at, out + strlen(out));
	/* cut off, terminated, not past the end */
	for (size_t size = 1; size < 30; size++) {
		memset(out, 'Z', sizeof(out));
		end = out + size;
		at = str_put_hex(str_put_u64(str_put(out, end, "abc"), end, 1234567890), end, 0xfeed);
		ck_assert_uint_eq(strlen(out), size <= 17 ? size - 1 : 17);
		ck_assert_ptr_eq(at, out + strlen(out));
		ck_assert_int_eq(strncmp(out, "abc1234567890feed", strlen(out)), 0);
		ck_assert_int_eq(out[size], 'Z');
	}
}
END_TEST

SUITE_MAIN("str", test_put, test_copy, test_nocase, test_starts_with, test_list, test_escape, test_escape_truncates)
