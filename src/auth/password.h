/*
 * password.h - does what a client sent fit what is stored?
 *
 * For cleartext passwords and md5 answers.  Constant time in what is stored.  For
 * CREDENTIAL_NONE (nobody) the answer is no after the same work.  Called by
 * clientauth; no state.
 */
#ifndef AUTH_PASSWORD_H
#define AUTH_PASSWORD_H

#include "auth/scram_cache.h"

#define PASSWORD_MAX 65535 /* bytes of a cleartext password */

struct password_ask {
	const char *user;
	const struct credential *credential, *second; /* either may fit (rotation.h); second NULL: none */
	struct scram_cache *cache;
	uint32_t iterations; /* for salts of ours */
	bool mock_scram;     /* nobody is treated as a user with a SCRAM secret */
};

/* given: n bytes.  keys (zeroed by the caller) are set when the stored secret is SCRAM and fits. */
bool password_fits(const struct password_ask *ask, const char *given, size_t n,
	struct credential_keys *keys) FX_MUST_USE;
/* given: the answer to the challenge salt.  False for SCRAM secrets, too. */
bool password_md5_fits(
	const struct password_ask *ask, const uint8_t salt[4], const char *given, size_t n) FX_MUST_USE;

#endif
