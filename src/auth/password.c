/*
 * password.c - cleartext passwords and md5 answers against stored secrets.
 */
#include "auth/password.h"

#include "auth/md5.h"
#include "auth/scramkey.h"
#include "base/rnd.h"

#include <string.h>

#include "base/poison.h"

/* Two SCRAM secrets that one derivation can be held against. */
static bool has_same_salt(const struct credential *a, const struct credential *b)
{
	return b != NULL && a->kind == CREDENTIAL_SCRAM && b->kind == CREDENTIAL_SCRAM && a->iterations == b->iterations &&
	       secret_is_equal(a->salt, a->salt_len, b->salt, b->salt_len);
}

/* Against a SCRAM secret, or the same work for nobody. */
static bool scram_fits(
	const struct password_ask *ask, const char *given, size_t n, struct credential_keys *keys)
{
	const struct credential *c = ask->credential;
	bool is_real = c->kind == CREDENTIAL_SCRAM, is_right;
	uint8_t mock[SCRAMKEY_SALT_LEN], stored[SCRAMKEY_LEN];
	const uint8_t *salt = is_real ? c->salt : mock;
	size_t salt_len = is_real ? c->salt_len : sizeof(mock);
	uint32_t iterations = is_real ? c->iterations : ask->iterations;
	struct credential_keys found;

	scramkey_salt(ask->cache->process_key, ask->user, mock);
	if (scram_cache_try(ask->cache, ask->user, given, n, salt, salt_len, iterations, &found) < 0)
		return false;
	scramkey_stored(found.client_key, stored);
	is_right = secret_is_equal(c->stored_key, sizeof(stored), stored, sizeof(stored)) && is_real;
	if (has_same_salt(c, ask->second))
		is_right |= secret_is_equal(ask->second->stored_key, sizeof(stored), stored, sizeof(stored));
	if (is_right) {
		scram_cache_keep(ask->cache, ask->user, given, n, salt, salt_len, iterations, &found);
		*keys = found;
	}
	credential_keys_wipe(&found);
	secret_wipe(stored, sizeof(stored));
	return is_right;
}

/* A password, an md5 hash, or the work of both for nobody. */
static bool text_fits(const struct credential *c, const char *user, const char *given, size_t n)
{
	const struct secret *s = &c->text;
	enum credential_kind kind = c->kind;
	bool has_hash, is_password, is_hash;
	char hash[MD5_TEXT_SIZE] = "";

	has_hash = md5_stored(given, n, user, hash) == 0;
	is_password = secret_is_equal(s->data, s->len, given, n);
	is_hash = secret_is_equal(s->data, s->len, hash, CREDENTIAL_MD5_LEN);
	secret_wipe(hash, sizeof(hash));
	return (kind == CREDENTIAL_PLAIN && is_password) || (kind == CREDENTIAL_MD5 && has_hash && is_hash);
}

bool password_fits(const struct password_ask *ask, const char *given, size_t n, struct credential_keys *keys)
{
	const struct credential none = {.kind = CREDENTIAL_NONE};
	enum credential_kind kind = ask->credential->kind;
	bool is_first, is_second;

	if (kind == CREDENTIAL_SCRAM || (kind == CREDENTIAL_NONE && ask->mock_scram))
		is_first = scram_fits(ask, given, n, keys);
	else
		is_first = text_fits(ask->credential, ask->user, given, n);
	/* looked for in any case: who has a second secret is nobody's business either */
	is_second = text_fits(ask->second != NULL ? ask->second : &none, ask->user, given, n);
	return is_first || is_second;
}

static bool md5_fits(
	const struct password_ask *ask, const struct credential *c, const uint8_t salt[4], const char *given, size_t n)
{
	char stored[MD5_TEXT_SIZE], expected[MD5_TEXT_SIZE];
	bool is_real = c->kind == CREDENTIAL_PLAIN || c->kind == CREDENTIAL_MD5, is_right;
	uint8_t chance[16];

	/* every kind hashes twice; nobody's password is chance */
	rnd_secure(chance, sizeof(chance));
	if (md5_stored(c->kind == CREDENTIAL_PLAIN ? c->text.data : chance,
		    c->kind == CREDENTIAL_PLAIN ? c->text.len : sizeof(chance), ask->user, stored) < 0)
		return false;
	if (c->kind == CREDENTIAL_MD5)
		memcpy(stored, c->text.data, MD5_TEXT_SIZE);
	if (md5_answer(stored, salt, expected) < 0)
		return false;
	is_right = secret_is_equal(expected, CREDENTIAL_MD5_LEN, given, n) && is_real;
	secret_wipe(stored, sizeof(stored));
	secret_wipe(expected, sizeof(expected));
	return is_right;
}

bool password_md5_fits(const struct password_ask *ask, const uint8_t salt[4], const char *given, size_t n)
{
	const struct credential none = {.kind = CREDENTIAL_NONE};
	bool is_first = md5_fits(ask, ask->credential, salt, given, n);
	bool is_second = md5_fits(ask, ask->second != NULL ? ask->second : &none, salt, given, n);

	return is_first || is_second;
}
