/* secret: copies, moves, comparisons; mem: the counts by kind */
#include "base/mem.h"
#include "base/secret.h"
#include "test/unit/base/suite.h"

#include <string.h>

START_TEST(test_set_and_drop)
{
	struct secret s = {NULL, 0};
	char text[] = "password";

	secret_set(&s, text, 8);
	memset(text, 'x', sizeof(text));
	ck_assert_uint_eq(s.len, 8);
	ck_assert_str_eq((char *)s.data, "password");
	/* from its own bytes */
	secret_set(&s, s.data + 4, 4);
	ck_assert_str_eq((char *)s.data, "word");
	secret_set(&s, "", 0);
	ck_assert_ptr_nonnull(s.data);
	ck_assert_uint_eq(s.len, 0);
	secret_drop(&s);
	secret_drop(&s);
	ck_assert_ptr_null(s.data);
}
END_TEST

START_TEST(test_move)
{
	struct secret a = {NULL, 0}, b = {NULL, 0};

	secret_set(&a, "one", 3);
	secret_set(&b, "two", 3);
	secret_move(&a, &b);
	ck_assert_str_eq((char *)a.data, "two");
	ck_assert_ptr_null(b.data);
	ck_assert_uint_eq(b.len, 0);
	secret_move(&a, &b);
	ck_assert_ptr_null(a.data);
}
END_TEST

START_TEST(test_equal)
{
	ck_assert(secret_is_equal("abc", 3, "abc", 3));
	ck_assert(!secret_is_equal("abc", 3, "abd", 3));
	ck_assert(!secret_is_equal("Xbc", 3, "abc", 3));
	ck_assert(!secret_is_equal("abc", 3, "abcd", 4));
	ck_assert(!secret_is_equal("abcd", 4, "abc", 3));
	ck_assert(!secret_is_equal("", 0, "a", 1));
	ck_assert(!secret_is_equal("a", 1, "", 0));
	ck_assert(secret_is_equal("", 0, "", 0));
	ck_assert(secret_is_equal(NULL, 0, NULL, 0));
	ck_assert(!secret_is_equal(NULL, 0, "abc", 3));
	/* every single bit counts */
	for (int bit = 0; bit < 64; bit++) {
		uint8_t a[8] = {0}, b[8] = {0};

		b[bit / 8] = (uint8_t)(1 << bit % 8);
		ck_assert(!secret_is_equal(a, 8, b, 8));
	}
}
END_TEST

START_TEST(test_wipe)
{
	uint8_t raw[16];

	memset(raw, 0xaa, sizeof(raw));
	secret_wipe(raw + 1, 14);
	ck_assert_uint_eq(raw[0], 0xaa);
	ck_assert_uint_eq(raw[15], 0xaa);
	for (int i = 1; i < 15; i++)
		ck_assert_uint_eq(raw[i], 0);
	secret_wipe(NULL, 0);
}
END_TEST

START_TEST(test_mem_counts)
{
	struct mem_usage before, during, after;
	void *a, *b;

	mem_usage_get(MEM_CLIENT, &before);
	ck_assert_str_eq(before.name, "client_cache");
	a = mem_object_new(MEM_CLIENT, 100);
	b = mem_object_new(MEM_CLIENT, 100);
	mem_usage_get(MEM_CLIENT, &during);
	ck_assert_uint_eq(during.used, before.used + 2);
	ck_assert_uint_eq(during.bytes, before.bytes + 200);
	ck_assert_uint_eq(during.size, 100);
	mem_object_free(MEM_CLIENT, a, 100);
	mem_object_free(MEM_CLIENT, b, 100);
	mem_object_free(MEM_CLIENT, NULL, 100);
	mem_usage_get(MEM_CLIENT, &after);
	ck_assert_uint_eq(after.used, before.used);
	ck_assert_uint_eq(after.bytes, before.bytes);
	for (int k = 0; k < MEM_KIND_COUNT; k++) {
		mem_usage_get((enum mem_kind)k, &after);
		ck_assert_ptr_nonnull(after.name);
	}
}
END_TEST

START_TEST(test_mem_strings)
{
	char *p = mem_strndup("abcdef", 3);
	uint8_t *z = mem_zalloc(0);

	ck_assert_str_eq(p, "abc");
	mem_free(p);
	p = mem_strndup("ab", 100);
	ck_assert_str_eq(p, "ab");
	mem_free(p);
	ck_assert_ptr_nonnull(z);
	z = mem_realloc(z, 10);
	mem_free(z);
	mem_free(NULL);
}
END_TEST

SUITE_MAIN("secret", test_set_and_drop, test_move, test_equal, test_wipe, test_mem_counts, test_mem_strings)
