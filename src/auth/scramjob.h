/*
 * scramjob.h - a derivation of SCRAM keys that takes too long for a worker's loop: the question, and later the answer.
 *
 * Made by scram_cache on a worker, worked off on any thread (one at a time), lent to the same scram_cache then.
 */
#ifndef AUTH_SCRAMJOB_H
#define AUTH_SCRAMJOB_H

#include "auth/scramkey.h"
#include "base/secret.h"

struct scramjob {
	uint8_t id[SCRAMKEY_LEN]; /* the name of the question in its scram_cache */
	struct secret password;	  /* until the work is done */
	uint8_t *salt;
	size_t salt_len;
	uint32_t iterations;
	struct credential_keys keys; /* is_set: the answer; else, after the work, there is none */
};

/* Copies all that it is given.  NULL: no memory. */
struct scramjob *scramjob_new(const uint8_t id[SCRAMKEY_LEN], const void *password, size_t n, const uint8_t *salt, size_t salt_len,
			      uint32_t iterations) FX_MUST_USE;
void scramjob_free(struct scramjob *job); /* wipes; NULL is fine */
/* Milliseconds of computing. */
void scramjob_work(struct scramjob *job);

#endif
