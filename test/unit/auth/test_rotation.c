/*
 * test_rotation.c - a user with two secrets: every pair of kinds, every method, either password and neither.
 */
#include "logins.h"

#include "auth/rotation.h"
#include "test/unit/base/suite.h"

#define USER "alice"

static bool may_enter(const struct credential *first, const struct credential *second, enum clientauth_method method,
	const char *password, struct credential_keys *learnt)
{
	struct credential given = logins_secret(CREDENTIAL_PLAIN, USER, password, 16);
	struct clientauth *judge = clientauth_new(&(struct clientauth_ask){.method = method, .user = USER,
		.credential = first, .second = second, .cache = &logins_cache, .scram_iterations = 16});
	struct serverauth *prover =
		serverauth_new(&(struct serverauth_ask){.user = USER, .credential = &given, .cache = &logins_cache});
	struct logins_talk talk = logins_run(judge, prover);

	ck_assert_int_eq(talk.client == CLIENTAUTH_OK, talk.server == SERVERAUTH_OK);
	if (!clientauth_learnt(judge, learnt))
		learnt->is_set = false;
	clientauth_free(judge);
	serverauth_free(prover);
	credential_fini(&given);
	return talk.client == CLIENTAUTH_OK;
}

/* Can a secret of this kind be proved so, beside one of the other kind? */
static bool is_provable(enum credential_kind kind, enum credential_kind other, enum clientauth_method method)
{
	bool has_scram = kind == CREDENTIAL_SCRAM || other == CREDENTIAL_SCRAM;

	if (method == CLIENTAUTH_PLAIN)
		return true;
	if (method == CLIENTAUTH_SCRAM || has_scram)
		return kind != CREDENTIAL_MD5;
	return kind != CREDENTIAL_SCRAM;
}

START_TEST(every_pair)
{
	static const enum credential_kind kinds[] = {CREDENTIAL_PLAIN, CREDENTIAL_MD5, CREDENTIAL_SCRAM};
	static const enum clientauth_method methods[] = {CLIENTAUTH_PLAIN, CLIENTAUTH_MD5, CLIENTAUTH_SCRAM};
	struct credential_keys learnt;

	for (size_t i = 0; i < 3; i++)
		for (size_t k = 0; k < 3; k++)
			for (size_t m = 0; m < 3; m++) {
				struct credential old = logins_secret(kinds[i], USER, "old", 16);
				struct credential new = logins_secret(kinds[k], USER, "new", 16);
				bool old_may = is_provable(kinds[i], kinds[k], methods[m]);
				bool new_may = is_provable(kinds[k], kinds[i], methods[m]);

				for (int again = 0; again < 2; again++) {
					ck_assert_msg(may_enter(&old, &new, methods[m], "old", &learnt) == old_may, "%zu %zu %zu", i, k, m);
					ck_assert_int_eq(learnt.is_set, old_may && kinds[i] == CREDENTIAL_SCRAM);
					ck_assert_msg(may_enter(&old, &new, methods[m], "new", &learnt) == new_may, "%zu %zu %zu", i, k, m);
					ck_assert_int_eq(learnt.is_set, new_may && kinds[k] == CREDENTIAL_SCRAM);
					ck_assert(!may_enter(&old, &new, methods[m], "none", &learnt));
					ck_assert(!learnt.is_set);
				}
				credential_fini(&old);
				credential_fini(&new);
			}
}
END_TEST

/* The keys learnt are those of the secret that was proved. */
START_TEST(the_right_keys_are_learnt)
{
	struct credential old = logins_secret(CREDENTIAL_SCRAM, USER, "old", 16);
	struct credential new = logins_secret(CREDENTIAL_SCRAM, USER, "new", 16);
	struct credential_keys learnt;
	uint8_t stored[SCRAMKEY_LEN];

	for (int plain = 0; plain < 2; plain++) {
		enum clientauth_method method = plain ? CLIENTAUTH_PLAIN : CLIENTAUTH_SCRAM;

		ck_assert(may_enter(&old, &new, method, "new", &learnt));
		scramkey_stored(learnt.client_key, stored);
		ck_assert_mem_eq(stored, new.stored_key, sizeof(stored));
		ck_assert_mem_eq(learnt.server_key, new.server_key, sizeof(new.server_key));
		ck_assert(may_enter(&old, &new, method, "old", &learnt));
		scramkey_stored(learnt.client_key, stored);
		ck_assert_mem_eq(stored, old.stored_key, sizeof(stored));
		ck_assert_mem_eq(learnt.server_key, old.server_key, sizeof(old.server_key));
	}
	credential_fini(&old);
	credential_fini(&new);
}
END_TEST

/* Another salt than the one that is named proves nothing. */
START_TEST(two_salts)
{
	struct credential old = logins_secret(CREDENTIAL_SCRAM, USER, "old", 16);
	struct credential new = logins_secret(CREDENTIAL_SCRAM, USER, "new", 17);
	struct credential_keys learnt;

	for (int plain = 0; plain < 2; plain++) {
		ck_assert(may_enter(&old, &new, plain ? CLIENTAUTH_PLAIN : CLIENTAUTH_SCRAM, "old", &learnt));
		ck_assert(!may_enter(&old, &new, plain ? CLIENTAUTH_PLAIN : CLIENTAUTH_SCRAM, "new", &learnt));
	}
	credential_fini(&old);
	credential_fini(&new);
}
END_TEST

START_TEST(reading)
{
	uint8_t one[] = "one", two[] = "two", bad[] = "SCRAM-SHA-256$x";
	struct conf_secret s = {.has_secret = true, .secret = {one, 3}};
	const char *error = NULL;
	struct credential pair[2];

	ck_assert_int_eq(rotation_read(NULL, pair, NULL), 0);
	ck_assert(pair[0].kind == CREDENTIAL_NONE && pair[1].kind == CREDENTIAL_NONE);
	ck_assert_int_eq(rotation_read(&(struct conf_secret){.has_secret = false}, pair, NULL), 0);
	ck_assert(pair[0].kind == CREDENTIAL_NONE && pair[1].kind == CREDENTIAL_NONE);
	ck_assert_int_eq(rotation_read(&s, pair, NULL), 0);
	ck_assert(pair[0].kind == CREDENTIAL_PLAIN && pair[1].kind == CREDENTIAL_NONE);
	rotation_fini(pair);
	s.second = (struct secret){two, 3};
	ck_assert_int_eq(rotation_read(&s, pair, NULL), 0);
	ck_assert_str_eq((char *)pair[0].text.data, "one");
	ck_assert_str_eq((char *)pair[1].text.data, "two");
	rotation_fini(pair);
	s.second = (struct secret){bad, sizeof(bad) - 1};
	ck_assert_int_eq(rotation_read(&s, pair, &error), -1);
	ck_assert_str_eq(error, "malformed SCRAM secret");
	ck_assert(pair[0].kind == CREDENTIAL_NONE && pair[1].kind == CREDENTIAL_NONE);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		every_pair,
		the_right_keys_are_learnt,
		two_salts,
		reading,
	};
	Suite *s = suite_create("rotation");

	suite_add(s, "here", logins_setup, logins_teardown, tests, ARRAY_LEN(tests));
	suite_add(s, "elsewhere", logins_setup_elsewhere, logins_teardown, tests, ARRAY_LEN(tests));
	return suite_run(s);
}
