/*
 * scramkey.c - SCRAM-SHA-256's arithmetic on OpenSSL.
 */
#include "auth/scramkey.h"

#include "auth/saslprep.h"

#include <limits.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
#include <string.h>

#include "base/poison.h"

static void hmac(const void *key, size_t key_len, const void *text, size_t n, uint8_t out[SCRAMKEY_LEN])
{
	unsigned len = SCRAMKEY_LEN;

	/* fails only without memory or without SHA-256: then there is no safe way on */
	CHECK(HMAC(EVP_sha256(), key, (int)key_len, text, n, out, &len) != NULL && len == SCRAMKEY_LEN);
}

int scramkey_derive(const void *password, size_t n, const uint8_t *salt, size_t salt_len, uint32_t iterations,
	struct credential_keys *out)
{
	uint8_t salted[SCRAMKEY_LEN];
	struct secret prepared = {0};
	int rc;

	*out = (struct credential_keys){0};
	if (iterations < 1 || iterations > SCRAMKEY_ITERATIONS_MAX || n > INT_MAX || salt_len > INT_MAX)
		return -1;
	if (saslprep_prepare(password, n, &prepared)) {
		password = prepared.data;
		n = prepared.len;
	}
	rc = PKCS5_PBKDF2_HMAC(n > 0 ? password : "", (int)n, salt, (int)salt_len, (int)iterations,
		EVP_sha256(), sizeof(salted), salted);
	secret_drop(&prepared);
	if (rc != 1)
		return -1;
	hmac(salted, sizeof(salted), "Client Key", 10, out->client_key);
	hmac(salted, sizeof(salted), "Server Key", 10, out->server_key);
	out->is_set = true;
	secret_wipe(salted, sizeof(salted));
	return 0;
}

void scramkey_stored(const uint8_t client_key[SCRAMKEY_LEN], uint8_t stored_key[SCRAMKEY_LEN])
{
	(void)SHA256(client_key, SCRAMKEY_LEN, stored_key);
}

void scramkey_sign(const uint8_t key[SCRAMKEY_LEN], const void *text, size_t n, uint8_t out[SCRAMKEY_LEN])
{
	hmac(key, SCRAMKEY_LEN, text, n, out);
}

void scramkey_prove(
	const uint8_t client_key[SCRAMKEY_LEN], const void *text, size_t n, uint8_t proof[SCRAMKEY_LEN])
{
	uint8_t stored_key[SCRAMKEY_LEN];

	scramkey_stored(client_key, stored_key);
	scramkey_sign(stored_key, text, n, proof);
	for (size_t i = 0; i < SCRAMKEY_LEN; i++)
		proof[i] ^= client_key[i];
	secret_wipe(stored_key, sizeof(stored_key));
}

bool scramkey_verify(const uint8_t stored_key[SCRAMKEY_LEN], const uint8_t proof[SCRAMKEY_LEN],
	const void *text, size_t n, uint8_t client_key[SCRAMKEY_LEN])
{
	uint8_t found[SCRAMKEY_LEN];
	bool is_right;

	scramkey_sign(stored_key, text, n, client_key);
	for (size_t i = 0; i < SCRAMKEY_LEN; i++)
		client_key[i] ^= proof[i];
	scramkey_stored(client_key, found);
	is_right = secret_is_equal(found, sizeof(found), stored_key, SCRAMKEY_LEN);
	if (!is_right)
		secret_wipe(client_key, SCRAMKEY_LEN);
	return is_right;
}

void scramkey_salt(const uint8_t process_key[32], const char *user, uint8_t salt[SCRAMKEY_SALT_LEN])
{
	uint8_t digest[SCRAMKEY_LEN];

	hmac(process_key, 32, user, strlen(user), digest);
	memcpy(salt, digest, SCRAMKEY_SALT_LEN);
}
