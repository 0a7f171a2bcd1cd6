/*
 * credential.h - what is stored about a user: nothing, a password, PostgreSQL's
 * md5 hash or a SCRAM secret.
 *
 * RFC 5803 and PostgreSQL's pg_authid.rolpassword.  One owner (a configuration
 * snapshot or a cache entry); readers on other threads while it does not change.
 * Never printed; wiped by credential_fini.
 */
#ifndef AUTH_CREDENTIAL_H
#define AUTH_CREDENTIAL_H

#include "base/secret.h"

#define CREDENTIAL_KEY_LEN  32 /* SHA-256 */
#define CREDENTIAL_SALT_MAX 256
#define CREDENTIAL_MD5_LEN  35 /* "md5" and 32 hex digits */

enum credential_kind {
	CREDENTIAL_NONE, /* no password: only methods that ask for none can succeed */
	CREDENTIAL_PLAIN,
	CREDENTIAL_MD5,
	CREDENTIAL_SCRAM,
};

struct credential {
	enum credential_kind kind;
	struct secret text; /* PLAIN: the password; MD5: "md5" and hex digits in lower case; else empty */
	/* SCRAM; and PLAIN after credential_derive (has_keys) */
	bool has_keys;
	uint32_t iterations;
	size_t salt_len;
	uint8_t salt[CREDENTIAL_SALT_MAX];
	uint8_t stored_key[CREDENTIAL_KEY_LEN];
	uint8_t server_key[CREDENTIAL_KEY_LEN];
};

/* What a client's SCRAM login teaches us and what logs in to a server whose secret has the same
 * salt: pass-through.  All zero: none. */
struct credential_keys {
	bool is_set;
	uint8_t client_key[CREDENTIAL_KEY_LEN];
	uint8_t server_key[CREDENTIAL_KEY_LEN];
};

/* Reads a stored secret (n bytes, no NUL inside).  c needs no init.  Empty: CREDENTIAL_NONE.
 * "md5" and 32 hex digits, "SCRAM-SHA-256$i:salt$StoredKey:ServerKey", all else a password.
 * -1: it begins as a SCRAM secret and is not one; then c is CREDENTIAL_NONE (nobody logs in with
 * it) and *error (may be NULL) is a constant sentence. */
int credential_parse(struct credential *c, const void *text, size_t n, const char **error) FX_MUST_USE;
void credential_copy(struct credential *to, const struct credential *from); /* to needs no init */
void credential_fini(struct credential *c); /* wipes; c is CREDENTIAL_NONE afterwards */
void credential_keys_wipe(struct credential_keys *k);

/* PLAIN only (else nothing happens): computes the SCRAM keys beforehand, so that no login has to
 * (milliseconds of CPU: never on a worker).  user and process_key as in clientauth.h. */
void credential_derive(
	struct credential *c, const char *user, const uint8_t process_key[32], uint32_t iterations);
/* Same stored secret? constant time */
bool credential_is_equal(const struct credential *a, const struct credential *b);
const char *credential_kind_name(enum credential_kind kind); /* "none", "plain", "md5", "scram-sha-256" */

#endif
