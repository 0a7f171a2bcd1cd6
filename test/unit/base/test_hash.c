/* hash: SipHash against reference vectors, and the map against a plain array */
#include "base/hash.h"
#include "base/rnd.h"
#include "test/unit/base/suite.h"

#include <stdio.h>
#include <string.h>

/* SipHash-1-3 of the bytes 00 01 02 ... (n of them) under the key 00 01 ... 0f: the values that the reference
 * implementation of Aumasson and Bernstein prints with one and three rounds. */
static uint64_t hash_of(uint64_t (*hash)(const uint64_t key[2], const void *p, size_t n), size_t n)
{
	uint8_t raw[64], key[16];
	uint64_t words[2];

	for (size_t i = 0; i < sizeof(raw); i++)
		raw[i] = (uint8_t)i;
	for (size_t i = 0; i < sizeof(key); i++)
		key[i] = (uint8_t)i;
	memcpy(words, key, sizeof(words));
	return hash(words, raw, n);
}

START_TEST(test_vectors)
{
	static const uint64_t want[] = {
		UINT64_C(0xabac0158050fc4dc),
		UINT64_C(0xc9f49bf37d57ca93),
		UINT64_C(0x82cb9b024dc7d44d),
		UINT64_C(0x8bf80ab8e7ddf7fb),
		UINT64_C(0xcf75576088d38328),
		UINT64_C(0xdef9d52f49533b67),
		UINT64_C(0xc50d2b50c59f22a7),
		UINT64_C(0xd3927d989bb11140),
		UINT64_C(0x369095118d299a8e),
	};

	for (size_t n = 0; n < sizeof(want) / sizeof(want[0]); n++)
		ck_assert_uint_eq(hash_of(hash_bytes, n), want[n]);
	/* with two and four rounds: the example of the paper's appendix, and the reference implementation's first vectors */
	ck_assert_uint_eq(hash_of(hash_mac, 15), UINT64_C(0xa129ca6149be45e5));
	ck_assert_uint_eq(hash_of(hash_mac, 0), UINT64_C(0x726fdb47dd0e0e31));
	ck_assert_uint_eq(hash_of(hash_mac, 1), UINT64_C(0x74f839c593dc67fd));
}
END_TEST

START_TEST(test_key_and_length_matter)
{
	const uint64_t a[2] = {1, 2}, b[2] = {1, 3};

	ck_assert_uint_ne(hash_bytes(a, "abc", 3), hash_bytes(b, "abc", 3));
	ck_assert_uint_ne(hash_bytes(a, "\0", 1), hash_bytes(a, "\0\0", 2));
	ck_assert_uint_ne(hash_bytes(a, "", 0), hash_bytes(a, "\0", 1));
}
END_TEST

START_TEST(test_map)
{
	enum { N = 5000 };
	static int value[N], other;
	struct hash_map m;
	struct hash_iter it = {0};
	size_t seen = 0;
	char key[32];

	hash_map_init(&m);
	ck_assert_ptr_null(hash_map_find(&m, "x"));
	ck_assert_ptr_null(hash_map_take(&m, "x", 1));
	for (int i = 0; i < N; i++) {
		int n = snprintf(key, sizeof(key), "key %d", i);

		value[i] = 0;
		ck_assert_ptr_null(hash_map_put(&m, key, (size_t)n, &value[i]));
	}
	ck_assert_uint_eq(m.count, N);
	ck_assert_ptr_eq(hash_map_put(&m, "key 7", 5, &other), &value[7]);
	ck_assert_ptr_eq(hash_map_find(&m, "key 7"), &other);
	ck_assert_uint_eq(m.count, N);
	for (struct hash_node *n = hash_map_next(&m, &it); n != NULL; n = hash_map_next(&m, &it)) {
		(*(int *)n->value)++;
		ck_assert_uint_eq(strlen(n->key), n->key_len);
		seen++;
	}
	ck_assert_uint_eq(seen, N);
	for (int i = 0; i < N; i++) {
		int n = snprintf(key, sizeof(key), "key %d", i);
		int *want = i == 7 ? &other : &value[i];

		ck_assert_int_eq(*want, 1);
		ck_assert_ptr_eq(hash_map_take(&m, key, (size_t)n), want);
		ck_assert_ptr_null(hash_map_get(&m, key, (size_t)n));
	}
	ck_assert_uint_eq(m.count, 0);
	hash_map_fini(&m);
	ck_assert_ptr_null(hash_map_find(&m, "x"));
}
END_TEST

START_TEST(test_map_keys_are_bytes)
{
	int a, b, c;
	struct hash_map m;

	hash_map_init(&m);
	hash_map_put(&m, "a\0b", 3, &a);
	hash_map_put(&m, "a", 1, &b);
	hash_map_put(&m, "", 0, &c);
	ck_assert_ptr_eq(hash_map_get(&m, "a\0b", 3), &a);
	ck_assert_ptr_eq(hash_map_get(&m, "a", 1), &b);
	ck_assert_ptr_eq(hash_map_find(&m, ""), &c);
	ck_assert_ptr_null(hash_map_get(&m, "a\0", 2));
	hash_map_fini(&m);
}
END_TEST

START_TEST(test_seeds_differ)
{
	struct hash_map a, b;

	hash_map_init(&a);
	hash_map_init(&b);
	ck_assert_mem_ne(a.seed, b.seed, sizeof(a.seed));
}
END_TEST

START_TEST(test_rnd)
{
	struct rnd a, b;
	bool high = false, low = false;
	uint8_t raw[64] = {0}, zero[64] = {0};

	rnd_seed(&a, 42);
	rnd_seed(&b, 42);
	for (int i = 0; i < 1000; i++) {
		uint64_t v = rnd_below(&a, 10);

		ck_assert_uint_lt(v, 10);
		ck_assert_uint_eq(v, rnd_below(&b, 10));
		high |= v == 9;
		low |= v == 0;
	}
	ck_assert(high && low);
	rnd_seed(&b, 43);
	ck_assert_uint_ne(rnd_next(&a), rnd_next(&b));
	rnd_secure(raw, sizeof(raw));
	ck_assert_mem_ne(raw, zero, sizeof(raw));
}
END_TEST

SUITE_MAIN("hash", test_vectors, test_key_and_length_matter, test_map, test_map_keys_are_bytes,
	test_seeds_differ, test_rnd)
