/*
 * test_credential.c - stored secrets, md5, identities.
 */
#include "auth/credential.h"
#include "auth/identity.h"
#include "auth/md5.h"
#include "auth/scramkey.h"
#include "test/unit/base/suite.h"

#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* what PostgreSQL 15 stores for the password "pencil" with RFC 7677's salt */
#define SALT       "W22ZaJ0SNY7soEsUEjb6gQ=="
#define STORED_KEY "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY="
#define SERVER_KEY "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
#define SECRET     "SCRAM-SHA-256$4096:" SALT "$" STORED_KEY ":" SERVER_KEY

static struct credential c;

static void teardown(void)
{
	credential_fini(&c);
}

static int parse(const char *text)
{
	size_t n = strlen(text);
	char *copy = malloc(n ? n : 1);
	const char *error = NULL;
	int rc;

	memcpy(copy, text, n);
	rc = credential_parse(&c, copy, n, &error);
	free(copy);
	ck_assert_int_eq(rc < 0, error != NULL);
	return rc;
}

START_TEST(kinds)
{
	ck_assert_int_eq(parse(""), 0);
	ck_assert_int_eq(c.kind, CREDENTIAL_NONE);
	ck_assert_int_eq(parse("secret"), 0);
	ck_assert_int_eq(c.kind, CREDENTIAL_PLAIN);
	ck_assert_str_eq((char *)c.text.data, "secret");
	credential_fini(&c);
	ck_assert_int_eq(parse("md5d41d8cd98f00b204e9800998ecf8427e"), 0);
	ck_assert_int_eq(c.kind, CREDENTIAL_MD5);
	credential_fini(&c);
	/* nearly md5: passwords */
	ck_assert_int_eq(parse("md5d41d8cd98f00b204e9800998ecf8427"), 0);
	ck_assert_int_eq(c.kind, CREDENTIAL_PLAIN);
	credential_fini(&c);
	ck_assert_int_eq(parse("md5d41d8cd98f00b204e9800998ecf8427ex"), 0);
	ck_assert_int_eq(c.kind, CREDENTIAL_PLAIN);
	credential_fini(&c);
	ck_assert_int_eq(parse("md5D41D8CD98F00B204E9800998ECF8427E"), 0);
	ck_assert_int_eq(c.kind, CREDENTIAL_PLAIN);
	credential_fini(&c);
	ck_assert_int_eq(parse("md5"), 0);
	ck_assert_int_eq(c.kind, CREDENTIAL_PLAIN);
	credential_fini(&c);
	ck_assert_int_eq(parse("SCRAM-SHA-256"), 0);
	ck_assert_int_eq(c.kind, CREDENTIAL_PLAIN);
	ck_assert_str_eq(credential_kind_name(CREDENTIAL_SCRAM), "scram-sha-256");
	ck_assert_str_eq(credential_kind_name(CREDENTIAL_NONE), "none");
}
END_TEST

START_TEST(scram_secret)
{
	struct credential_keys keys;
	uint8_t stored[SCRAMKEY_LEN];

	ck_assert_int_eq(parse(SECRET), 0);
	ck_assert_int_eq(c.kind, CREDENTIAL_SCRAM);
	ck_assert(c.has_keys);
	ck_assert_uint_eq(c.iterations, 4096);
	ck_assert_uint_eq(c.salt_len, 16);
	ck_assert_ptr_null(c.text.data);
	ck_assert_int_eq(scramkey_derive("pencil", 6, c.salt, c.salt_len, c.iterations, &keys), 0);
	scramkey_stored(keys.client_key, stored);
	ck_assert_mem_eq(stored, c.stored_key, SCRAMKEY_LEN);
	ck_assert_mem_eq(keys.server_key, c.server_key, SCRAMKEY_LEN);
}
END_TEST

START_TEST(malformed_scram_secrets)
{
	static const char *const wrong[] = {
		"SCRAM-SHA-256$",
		"SCRAM-SHA-256$4096",
		"SCRAM-SHA-256$4096:",
		"SCRAM-SHA-256$:" SALT "$" STORED_KEY ":" SERVER_KEY,
		"SCRAM-SHA-256$0:" SALT "$" STORED_KEY ":" SERVER_KEY,
		"SCRAM-SHA-256$-1:" SALT "$" STORED_KEY ":" SERVER_KEY,
		"SCRAM-SHA-256$+1:" SALT "$" STORED_KEY ":" SERVER_KEY,
		"SCRAM-SHA-256$4096x:" SALT "$" STORED_KEY ":" SERVER_KEY,
		"SCRAM-SHA-256$ 4096:" SALT "$" STORED_KEY ":" SERVER_KEY,
		"SCRAM-SHA-256$2147483648:" SALT "$" STORED_KEY ":" SERVER_KEY,
		"SCRAM-SHA-256$99999999999:" SALT "$" STORED_KEY ":" SERVER_KEY,
		"SCRAM-SHA-256$4096:$" STORED_KEY ":" SERVER_KEY,
		"SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ$" STORED_KEY ":" SERVER_KEY,
		"SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gR==$" STORED_KEY ":" SERVER_KEY,
		"SCRAM-SHA-256$4096:" SALT ":" STORED_KEY ":" SERVER_KEY,
		"SCRAM-SHA-256$4096:" SALT "$" STORED_KEY,
		"SCRAM-SHA-256$4096:" SALT "$" STORED_KEY ":",
		"SCRAM-SHA-256$4096:" SALT "$:" SERVER_KEY,
		"SCRAM-SHA-256$4096:" SALT "$AAAA:" SERVER_KEY,
		"SCRAM-SHA-256$4096:" SALT "$" STORED_KEY ":AAAA",
		"SCRAM-SHA-256$4096:" SALT "$" STORED_KEY ":" SERVER_KEY "x",
		"SCRAM-SHA-256$4096:" SALT "$" STORED_KEY ":" SERVER_KEY ":" SERVER_KEY,
		"SCRAM-SHA-256$4096:" SALT "$" STORED_KEY ":" SERVER_KEY "\n",
	};

	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		ck_assert_msg(parse(wrong[i]) < 0, "%s", wrong[i]);
		ck_assert_int_eq(c.kind, CREDENTIAL_NONE);
		ck_assert(!c.has_keys);
	}
	for (size_t n = strlen("SCRAM-SHA-256$"); n < strlen(SECRET); n++)
		ck_assert_int_lt(credential_parse(&c, SECRET, n, NULL), 0);
	/* what the system of another operator chose is his affair, as long as it is a number */
	ck_assert_int_eq(parse("SCRAM-SHA-256$2147483647:" SALT "$" STORED_KEY ":" SERVER_KEY), 0);
	ck_assert_uint_eq(c.iterations, INT32_MAX);
}
END_TEST

START_TEST(salt_sizes)
{
	char text[1000];

	for (size_t n = 4; n <= 400; n += 4) {
		char salt[401] = "";

		memset(salt, 'A', n);
		snprintf(text, sizeof(text), "SCRAM-SHA-256$1:%s$" STORED_KEY ":" SERVER_KEY, salt);
		ck_assert_int_eq(parse(text) == 0, n / 4 * 3 <= CREDENTIAL_SALT_MAX);
	}
}
END_TEST

START_TEST(copy_and_compare)
{
	static const char *const texts[] = {"", "secret", "secret2", "md5d41d8cd98f00b204e9800998ecf8427e",
		SECRET, "SCRAM-SHA-256$4097:" SALT "$" STORED_KEY ":" SERVER_KEY};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		for (size_t k = 0; k < ARRAY_LEN(texts); k++) {
			struct credential a, b, copy;

			ck_assert_int_eq(credential_parse(&a, texts[i], strlen(texts[i]), NULL), 0);
			ck_assert_int_eq(credential_parse(&b, texts[k], strlen(texts[k]), NULL), 0);
			credential_copy(&copy, &a);
			credential_fini(&a);
			ck_assert_int_eq(a.kind, CREDENTIAL_NONE);
			ck_assert_int_eq(credential_is_equal(&copy, &b), i == k);
			credential_fini(&copy);
			credential_fini(&b);
		}
	}
}
END_TEST

START_TEST(derived_beforehand)
{
	static const uint8_t process_key[32] = {7};
	struct credential_keys keys;
	uint8_t salt[SCRAMKEY_SALT_LEN], stored[SCRAMKEY_LEN];

	ck_assert_int_eq(parse("pencil"), 0);
	credential_derive(&c, "user", process_key, 100);
	ck_assert(c.has_keys);
	ck_assert_int_eq(c.kind, CREDENTIAL_PLAIN);
	scramkey_salt(process_key, "user", salt);
	ck_assert_mem_eq(c.salt, salt, sizeof(salt));
	ck_assert_int_eq(scramkey_derive("pencil", 6, salt, sizeof(salt), 100, &keys), 0);
	scramkey_stored(keys.client_key, stored);
	ck_assert_mem_eq(c.stored_key, stored, sizeof(stored));
	credential_fini(&c);
	ck_assert_int_eq(parse(SECRET), 0);
	credential_derive(&c, "user", process_key, 100);
	ck_assert_uint_eq(c.iterations, 4096);
}
END_TEST

START_TEST(md5_forms)
{
	char stored[MD5_TEXT_SIZE], answer[MD5_TEXT_SIZE];

	/* echo -n foobar | md5sum and printf '3858f6...\1\2\3\4' | md5sum */
	ck_assert_int_eq(md5_stored("foo", 3, "bar", stored), 0);
	ck_assert_str_eq(stored, "md53858f62230ac3c915f300c664312c63f");
	ck_assert_int_eq(md5_answer(stored, (const uint8_t *)"\1\2\3\4", answer), 0);
	ck_assert_str_eq(answer, "md56e4f0b50f7277feb74acbf2a7734c9cb");
	ck_assert_int_eq(md5_stored("", 0, "", stored), 0);
	ck_assert_str_eq(stored, "md5d41d8cd98f00b204e9800998ecf8427e");
}
END_TEST

START_TEST(identities)
{
	struct identity *a = identity_new("alice", "db", IDENTITY_ADMIN);
	struct identity *b = identity_new("alice", "db", 0);
	struct identity *x = identity_new("alic", "edb", 0);
	struct identity *y = identity_new("alice", "db2", IDENTITY_STATS);

	ck_assert_str_eq(identity_user(a), "alice");
	ck_assert_str_eq(identity_database(a), "db");
	ck_assert(identity_is_equal(a, b));
	ck_assert(!identity_is_equal(a, x));
	ck_assert(!identity_is_equal(a, y));
	ck_assert(identity_has(a, IDENTITY_ADMIN) && identity_has(a, IDENTITY_STATS));
	ck_assert(!identity_has(b, IDENTITY_ADMIN) && !identity_has(b, IDENTITY_STATS));
	ck_assert(!identity_has(y, IDENTITY_ADMIN) && identity_has(y, IDENTITY_STATS));
	ck_assert_uint_eq(identity_roles(y), IDENTITY_STATS);
	ck_assert_ptr_eq(identity_ref(a), a);
	identity_unref(a);
	ck_assert_str_eq(identity_user(a), "alice");
	identity_unref(a);
	identity_unref(b);
	identity_unref(x);
	identity_unref(y);
	identity_unref(NULL);
}
END_TEST

static void *ref_and_unref(void *arg)
{
	for (int i = 0; i < 100000; i++)
		identity_unref(identity_ref(arg));
	identity_unref(arg);
	return NULL;
}

START_TEST(identities_between_threads)
{
	struct identity *id = identity_new("alice", "db", 0);
	pthread_t threads[4];

	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, ref_and_unref, identity_ref(id)), 0);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		pthread_join(threads[i], NULL);
	ck_assert_str_eq(identity_user(id), "alice");
	identity_unref(id); /* the last one: leaks or double frees are the sanitizers' to find */
}
END_TEST

SUITE_MAIN_WITH("credential", NULL, teardown, kinds, scram_secret, malformed_scram_secrets, salt_sizes,
		copy_and_compare, derived_beforehand, md5_forms, identities, identities_between_threads)
