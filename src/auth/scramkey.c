/*
 * scramkey.c - SCRAM-SHA-256's arithmetic on OpenSSL.
 */
#include "auth/scramkey.h"

#include "auth/saslprep.h"
#include "base/hash.h"

#include <limits.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdatomic.h>
#include <string.h>

#include "base/poison.h"

/* Looking the digest up costs as much as computing it: it is done once. */
static const EVP_MD *sha256(void)
{
	static _Atomic(EVP_MD *) found;
	EVP_MD *md = atomic_load_explicit(&found, memory_order_acquire), *none = NULL;

	if (FX_LIKELY(md != NULL))
		return md;
	md = EVP_MD_fetch(NULL, "SHA256", NULL);
	CHECK(md != NULL);
	if (!atomic_compare_exchange_strong(&found, &none, md)) {
		EVP_MD_free(md);
		md = none;
	}
	return md;
}

/* one half of RFC 2104: H(key XOR pad, text) */
static bool hmac_half(EVP_MD_CTX *ctx, const uint8_t key[SCRAMKEY_LEN], uint8_t pad, const void *text, size_t n,
	uint8_t out[SCRAMKEY_LEN])
{
	uint8_t block[SHA256_CBLOCK];
	bool ok;

	memset(block, pad, sizeof(block));
	for (size_t i = 0; i < SCRAMKEY_LEN; i++)
		block[i] ^= key[i];
	ok = EVP_DigestInit_ex(ctx, sha256(), NULL) == 1 && EVP_DigestUpdate(ctx, block, sizeof(block)) == 1 &&
	     EVP_DigestUpdate(ctx, text, n) == 1 && EVP_DigestFinal_ex(ctx, out, NULL) == 1;
	secret_wipe(block, sizeof(block));
	return ok;
}

/* OpenSSL's own looks the algorithm up each time, for twice the price of all else */
static void hmac(const uint8_t key[SCRAMKEY_LEN], const void *text, size_t n, uint8_t out[SCRAMKEY_LEN])
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint8_t inner[SCRAMKEY_LEN];

	/* fails only without memory or without SHA-256: then there is no safe way on */
	CHECK(ctx != NULL && hmac_half(ctx, key, 0x36, text, n, inner) &&
	      hmac_half(ctx, key, 0x5c, inner, sizeof(inner), out));
	EVP_MD_CTX_free(ctx);
	secret_wipe(inner, sizeof(inner));
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
		sha256(), sizeof(salted), salted);
	secret_drop(&prepared);
	if (rc != 1)
		return -1;
	hmac(salted, "Client Key", 10, out->client_key);
	hmac(salted, "Server Key", 10, out->server_key);
	out->is_set = true;
	secret_wipe(salted, sizeof(salted));
	return 0;
}

void scramkey_stored(const uint8_t client_key[SCRAMKEY_LEN], uint8_t stored_key[SCRAMKEY_LEN])
{
	CHECK(EVP_Digest(client_key, SCRAMKEY_LEN, stored_key, NULL, sha256(), NULL) == 1);
}

void scramkey_sign(const uint8_t key[SCRAMKEY_LEN], const void *text, size_t n, uint8_t out[SCRAMKEY_LEN])
{
	hmac(key, text, n, out);
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
	uint64_t keys[4], half[2];

	_Static_assert(sizeof(keys) == 32 && sizeof(half) == SCRAMKEY_SALT_LEN, "two halves, each with a key of its own");
	memcpy(keys, process_key, sizeof(keys));
	half[0] = hash_mac(keys, user, strlen(user));
	half[1] = hash_mac(keys + 2, user, strlen(user));
	memcpy(salt, half, sizeof(half));
	secret_wipe(keys, sizeof(keys));
}
