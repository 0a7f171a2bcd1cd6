/* secret: copies, moves, comparisons; mem: the counts by kind */
#include "base/mem.h"
#include "base/secret.h"
#include "base/vault.h"
#include "test/unit/base/suite.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

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

START_TEST(test_vault)
{
	static const size_t sizes[] = {1, 31, 32, 33, 64, 100, 500, 2047, 2048, 2049, 4096, 70000};
	uint8_t *piece[ARRAY_LEN(sizes)], *again;
	struct vault_usage before, now;

	vault_get_usage(&before);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		piece[i] = vault_alloc(sizes[i]);
		for (size_t n = 0; n < sizes[i]; n++)
			ck_assert_uint_eq(piece[i][n], 0);
		memset(piece[i], 0xa5, sizes[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
		for (size_t n = 0; n < sizes[i]; n++)
			ck_assert_uint_eq(piece[i][n], 0xa5);
	vault_get_usage(&now);
	ck_assert_uint_gt(now.bytes, before.bytes);
	vault_free(piece[3], sizes[3]);
	/* wiped; what was free links the free ones */
	for (size_t n = sizeof(void *); n < sizes[3]; n++)
		ck_assert_uint_eq(piece[3][n], 0);
	again = vault_alloc(sizes[3]);
	ck_assert_ptr_eq(again, piece[3]);
	for (size_t n = 0; n < sizes[3]; n++)
		ck_assert_uint_eq(again[n], 0);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
		vault_free(piece[i], sizes[i]);
	vault_free(NULL, 7);
	/* the large ones are given back to the system, pages of small ones are used again */
	vault_get_usage(&before);
	ck_assert_uint_le(before.bytes, now.bytes - 70000 - 2 * 4096);
	for (int i = 0; i < 1000; i++)
		vault_free(vault_alloc(100), 100);
	vault_get_usage(&now);
	ck_assert_uint_eq(now.bytes, before.bytes);
	vault_lock_again();
	vault_get_usage(&now);
	ck_assert_uint_eq(now.bytes, before.bytes);
}
END_TEST

/* of the mapping that p lies in: the line of smaps that begins with name */
static bool vault_line(const void *p, const char *name, char *out, size_t size)
{
	FILE *f = fopen("/proc/self/smaps", "re");
	unsigned long from, to;
	bool is_in = false;

	ck_assert_ptr_nonnull(f);
	while (fgets(out, (int)size, f) != NULL) {
		if (sscanf(out, "%lx-%lx ", &from, &to) == 2)
			is_in = (unsigned long)p >= from && (unsigned long)p < to;
		else if (is_in && strncmp(out, name, strlen(name)) == 0)
			break;
	}
	ck_assert_int_eq(fclose(f), 0);
	return strncmp(out, name, strlen(name)) == 0;
}

START_TEST(test_vault_is_locked_and_not_dumped)
{
	struct vault_usage usage;
	struct secret s = {NULL, 0};
	char line[512];

	secret_set(&s, "password", 8);
	vault_get_usage(&usage);
	ck_assert(vault_line(s.data, "VmFlags:", line, sizeof(line)));
	ck_assert_msg(strstr(line, " dd") != NULL, "%s", line);
	ck_assert_msg((strstr(line, " lo") != NULL) == (usage.unlocked == 0), "%s", line);
	secret_drop(&s);
}
END_TEST

START_TEST(test_vault_without_leave_to_lock)
{
	const struct rlimit none = {0, 0};
	struct vault_usage usage;
	void *piece[400];

	/* the kernel lets root lock what he likes */
	if (geteuid() == 0)
		ck_assert_int_eq(setuid(65534), 0);
	ck_assert_int_eq(setrlimit(RLIMIT_MEMLOCK, &none), 0);
	for (size_t i = 0; i < ARRAY_LEN(piece); i++)
		memset(piece[i] = vault_alloc(2000), 'x', 2000);
	vault_get_usage(&usage);
	ck_assert_uint_ge(usage.unlocked, 400 * 2048);
	ck_assert_int_ne(usage.error, 0);
	for (size_t i = 0; i < ARRAY_LEN(piece); i++)
		vault_free(piece[i], 2000);
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

SUITE_MAIN("secret", test_vault, test_vault_is_locked_and_not_dumped, test_vault_without_leave_to_lock, test_set_and_drop, test_move, test_equal, test_wipe, test_mem_counts, test_mem_strings)
