/*
 * scram_cache.h - SCRAM keys derived from passwords, so that a repeated login costs
 * microseconds instead of PBKDF2's milliseconds.
 *
 * One for each worker, used by that thread only; the owner outlives its logins.
 * A bounded least-recently-used map; its keys are keyed digests, so no password
 * is kept in it.  Used in both roles: judging clients and logging in to servers.
 */
#ifndef AUTH_SCRAM_CACHE_H
#define AUTH_SCRAM_CACHE_H

#include "auth/scramjob.h"
#include "base/dlist.h"
#include "base/hash.h"

struct scram_cache {
	struct hash_map map;
	struct dlist lru; /* most recently used first */
	size_t capacity;
	uint64_t hits, derivations;
	uint32_t here_max; /* more iterations are not computed on this thread; 0: all are */
	void *elsewhere;   /* the owner's, who has them computed */
	struct scramjob *wanted;     /* scram_cache_take_job */
	const struct scramjob *lent; /* scram_cache_lend */
	uint8_t digest_key[32];
	uint8_t process_key[32];
};

/* capacity > 0.  process_key: 32 bytes of rnd_secure, the same for all workers of the process (and
 * handed over to its successor): the salts of users without a stored salt, known or not, come from it. */
void scram_cache_init(struct scram_cache *c, size_t capacity, const uint8_t process_key[32]);
void scram_cache_fini(struct scram_cache *c); /* wipes */
/* Forgets everything (after a reload that changed passwords). */
void scram_cache_clear(struct scram_cache *c);

/* ClientKey and ServerKey of a password: from the cache, else computed and kept.
 * iterations in 1..SCRAMKEY_ITERATIONS_MAX, else -1; -1 also when there are too many for this thread: scram_cache_wants. */
int scram_cache_derive(struct scram_cache *c, const char *user, const void *password, size_t n,
	const uint8_t *salt, size_t salt_len, uint32_t iterations, struct credential_keys *out) FX_MUST_USE;
/* The same, but nothing is kept: for a password nobody has verified yet.  scram_cache_keep does it then. */
int scram_cache_try(struct scram_cache *c, const char *user, const void *password, size_t n,
	const uint8_t *salt, size_t salt_len, uint32_t iterations, struct credential_keys *out) FX_MUST_USE;
void scram_cache_keep(struct scram_cache *c, const char *user, const void *password, size_t n,
	const uint8_t *salt, size_t salt_len, uint32_t iterations, const struct credential_keys *keys);
/* The last question was not answered because it takes too long: whoever asked it is to ask again, in the same words, while
 * the job is lent to the cache. */
static inline bool scram_cache_wants(const struct scram_cache *c)
{
	return c->wanted != NULL;
}
/* Gives the job.  Right after it was found to be wanted. */
struct scramjob *scram_cache_take_job(struct scram_cache *c);
/* job has been worked off, and is borrowed until another one or NULL is lent. */
void scram_cache_lend(struct scram_cache *c, const struct scramjob *job);
/* The work of finding the keys of a password, for nobody: nothing is found, derived or kept. */
void scram_cache_pretend(
	struct scram_cache *c, const char *user, const uint8_t *salt, size_t salt_len, uint32_t iterations);

#endif
