/*
 * scramkey.h - the arithmetic of SCRAM-SHA-256: keys, proofs, signatures.
 *
 * RFC 5802 section 3, RFC 7677.  Keys are derived from what saslprep_prepare makes of a
 * password.  Any thread, no state.
 */
#ifndef AUTH_SCRAMKEY_H
#define AUTH_SCRAMKEY_H

#include "auth/credential.h"

#define SCRAMKEY_LEN            CREDENTIAL_KEY_LEN
#define SCRAMKEY_ITERATIONS     4096u   /* RFC 7677's least, PostgreSQL's default */
#define SCRAMKEY_ITERATIONS_MAX 100000u /* what we are willing to compute */
#define SCRAMKEY_SALT_LEN       16      /* of salts we make */

/* ClientKey and ServerKey.  -1: iterations outside 1..SCRAMKEY_ITERATIONS_MAX, or the library failed. */
int scramkey_derive(const void *password, size_t n, const uint8_t *salt, size_t salt_len, uint32_t iterations,
	struct credential_keys *out) FX_MUST_USE;
/* StoredKey = H(ClientKey) */
void scramkey_stored(const uint8_t client_key[SCRAMKEY_LEN], uint8_t stored_key[SCRAMKEY_LEN]);
/* HMAC-SHA-256(key, text): ClientSignature from StoredKey, ServerSignature from ServerKey. */
void scramkey_sign(const uint8_t key[SCRAMKEY_LEN], const void *text, size_t n, uint8_t out[SCRAMKEY_LEN]);
/* ClientProof = ClientKey XOR HMAC(StoredKey, text) */
void scramkey_prove(
	const uint8_t client_key[SCRAMKEY_LEN], const void *text, size_t n, uint8_t proof[SCRAMKEY_LEN]);
/* Does the proof belong to StoredKey?  Constant time; gives the ClientKey behind it when it does. */
bool scramkey_verify(const uint8_t stored_key[SCRAMKEY_LEN], const uint8_t proof[SCRAMKEY_LEN],
	const void *text, size_t n, uint8_t client_key[SCRAMKEY_LEN]) FX_MUST_USE;
/* The salt of a user who has none stored, known or not: the same for every attempt and worker. */
void scramkey_salt(const uint8_t process_key[32], const char *user, uint8_t salt[SCRAMKEY_SALT_LEN]);

#endif
