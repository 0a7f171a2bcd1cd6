/*
 * rotation.h - a user with two valid secrets, while one is being replaced by the other.
 *
 * Any thread; values.  auth_file's line: "user" "secret" or "second".  Of a client's
 * secrets the one that asks for the strongest proof decides what the client is asked;
 * a SCRAM exchange names one salt, so two SCRAM secrets must share theirs (conf sees to it).
 */
#ifndef AUTH_ROTATION_H
#define AUTH_ROTATION_H

#include "auth/scram_cache.h"
#include "conf/conf.h"

/* Reads what auth_file has (s may be NULL: nothing).  pair needs no init; pair[1] is CREDENTIAL_NONE where there is one secret
 * only.  -1: a malformed SCRAM secret, *error (may be NULL) says so; both are CREDENTIAL_NONE. */
int rotation_read(const struct conf_secret *s, struct credential pair[2], const char **error) FX_MUST_USE;
void rotation_fini(struct credential pair[2]); /* wipes */
/* Are most users known by a SCRAM secret?  Then nobody in particular is treated as one of them. */
bool rotation_most_are_scram(const struct conf *conf);
/* In the order of what they can prove: SCRAM, password, md5, none. */
void rotation_sort(struct credential *first, struct credential *second);
/* StoredKey and ServerKey of a second secret under the salt that the exchange has named; keys that fit no proof where it has
 * none (the same work as far as that can be). */
void rotation_keys(const struct credential *second, struct scram_cache *cache, const char *user, const uint8_t *salt,
	size_t salt_len, uint32_t iterations, uint8_t stored[CREDENTIAL_KEY_LEN], uint8_t server[CREDENTIAL_KEY_LEN]);

#endif
