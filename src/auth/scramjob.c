/*
 * scramjob.c - a derivation of SCRAM keys, for another thread.
 */
#include "auth/scramjob.h"

#include "base/mem.h"
#include "base/vault.h"

#include <string.h>

#include "base/poison.h"

struct scramjob *scramjob_new(const uint8_t id[SCRAMKEY_LEN], const void *password, size_t n, const uint8_t *salt, size_t salt_len,
			      uint32_t iterations)
{
	uint8_t *own_salt = mem_try_alloc(salt_len + 1);
	struct scramjob *job;

	if (own_salt == NULL)
		return NULL;
	memcpy(own_salt, salt, salt_len);
	job = vault_alloc(sizeof(*job));
	*job = (struct scramjob){.salt = own_salt, .salt_len = salt_len, .iterations = iterations};
	memcpy(job->id, id, SCRAMKEY_LEN);
	secret_set(&job->password, n > 0 ? password : "", n);
	return job;
}

void scramjob_free(struct scramjob *job)
{
	if (job == NULL)
		return;
	secret_drop(&job->password);
	mem_free(job->salt);
	vault_free(job, sizeof(*job));
}

void scramjob_work(struct scramjob *job)
{
	if (scramkey_derive(job->password.data, job->password.len, job->salt, job->salt_len, job->iterations, &job->keys) < 0)
		credential_keys_wipe(&job->keys);
	secret_drop(&job->password);
}
