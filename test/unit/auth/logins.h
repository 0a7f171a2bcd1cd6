/*
 * logins.h - helpers of the login tests: stored secrets of a password, messages cut out of a buffer,
 * and both sides of a login talking to each other.
 */
#ifndef TEST_LOGINS_H
#define TEST_LOGINS_H

#include "auth/b64.h"
#include "auth/clientauth.h"
#include "auth/md5.h"
#include "auth/scramkey.h"
#include "auth/serverauth.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t logins_process_key[32] = {42};
static struct scram_cache logins_cache;

static FX_UNUSED void logins_setup(void)
{
	scram_cache_init(&logins_cache, 64, logins_process_key);
}

/* the same, but every derivation is somebody else's */
static FX_UNUSED void logins_setup_elsewhere(void)
{
	logins_setup();
	logins_cache.here_max = 1;
}

static FX_UNUSED void logins_teardown(void)
{
	ck_assert(!scram_cache_wants(&logins_cache));
	scram_cache_fini(&logins_cache);
}

/* The secret of kind for the user's password, as it would be stored; iterations few, for speed. */
static FX_UNUSED struct credential logins_secret(
	enum credential_kind kind, const char *user, const char *password, uint32_t iterations)
{
	struct credential c = {.kind = CREDENTIAL_NONE};
	char md5[MD5_TEXT_SIZE];
	struct buf text;

	buf_init(&text, 0);
	if (kind == CREDENTIAL_PLAIN) {
		(void)buf_append_str(&text, password);
	} else if (kind == CREDENTIAL_MD5) {
		ck_assert_int_eq(md5_stored(password, strlen(password), user, md5), 0);
		(void)buf_append_str(&text, md5);
	} else if (kind == CREDENTIAL_SCRAM) {
		uint8_t salt[16] = "0123456789abcdef", stored[SCRAMKEY_LEN];
		struct credential_keys keys;

		ck_assert_int_eq(
			scramkey_derive(password, strlen(password), salt, sizeof(salt), iterations, &keys),
			0);
		scramkey_stored(keys.client_key, stored);
		(void)buf_printf(&text, "SCRAM-SHA-256$%u:", iterations);
		b64_encode(&text, salt, sizeof(salt));
		(void)buf_append_str(&text, "$");
		b64_encode(&text, stored, sizeof(stored));
		(void)buf_append_str(&text, ":");
		b64_encode(&text, keys.server_key, sizeof(keys.server_key));
	}
	ck_assert_int_eq(credential_parse(&c, text.data, text.len, NULL), 0);
	ck_assert_int_eq(c.kind, kind);
	buf_fini(&text);
	return c;
}

/* Takes the one message out of b (its type checked); the body is a heap block of its exact size. */
static FX_UNUSED uint8_t *logins_take(struct buf *b, char type, size_t *n)
{
	uint32_t length;
	uint8_t *body;

	ck_assert_uint_ge(b->len, 5);
	ck_assert_int_eq(b->data[0], type);
	length = (uint32_t)b->data[1] << 24 | (uint32_t)b->data[2] << 16 | (uint32_t)b->data[3] << 8 |
		 b->data[4];
	ck_assert_uint_eq(b->len, length + 1);
	*n = length - 4;
	body = malloc(*n ? *n : 1);
	memcpy(body, b->data + 5, *n);
	buf_reset(b);
	return body;
}

struct logins_talk {
	enum clientauth_verdict client; /* what the judge said in the end */
	enum serverauth_verdict server; /* what the prover said in the end */
	int messages;                   /* of the judge */
	char requests[8];               /* their codes: 'p'lain, '5', 's'asl, 'c'ontinue, 'f'inal */
};

/* What a worker leaves to its helpers, when the cache wants it so. */
static FX_UNUSED struct scramjob *logins_work(void)
{
	struct scramjob *job = scram_cache_take_job(&logins_cache);

	ck_assert_ptr_nonnull(job);
	ck_assert_uint_gt(job->iterations, logins_cache.here_max);
	scramjob_work(job);
	ck_assert_ptr_null(job->password.data);
	scram_cache_lend(&logins_cache, job);
	return job;
}

static FX_UNUSED void logins_worked(struct scramjob *job)
{
	ck_assert(!scram_cache_wants(&logins_cache) || logins_cache.wanted != job);
	scram_cache_lend(&logins_cache, NULL);
	scramjob_free(job);
}

static FX_UNUSED enum clientauth_verdict logins_judge(struct clientauth *judge, const void *body, size_t n, struct buf *out)
{
	enum clientauth_verdict verdict = clientauth_input(judge, body, n, out);

	for (int i = 0; verdict == CLIENTAUTH_DERIVE; i++) {
		struct scramjob *job = logins_work();

		ck_assert_int_lt(i, 2); /* two secrets, two derivations */
		ck_assert_uint_eq(out->len, 0);
		verdict = clientauth_input(judge, body, n, out);
		logins_worked(job);
	}
	ck_assert(!scram_cache_wants(&logins_cache));
	return verdict;
}

static FX_UNUSED enum serverauth_verdict logins_prove(struct serverauth *prover, const void *body, size_t n, struct buf *out)
{
	enum serverauth_verdict verdict = serverauth_input(prover, body, n, out);

	if (verdict == SERVERAUTH_DERIVE) {
		struct scramjob *job = logins_work();

		ck_assert_uint_eq(out->len, 0);
		verdict = serverauth_derived(prover, out);
		logins_worked(job);
	}
	ck_assert(!scram_cache_wants(&logins_cache));
	return verdict;
}

/* Lets the two talk until one of them ends it; AuthenticationOk is sent for CLIENTAUTH_OK. */
static FX_UNUSED struct logins_talk logins_run(struct clientauth *judge, struct serverauth *prover)
{
	static const char codes[] = "0??p?5????scf";
	struct logins_talk talk = {.server = SERVERAUTH_MORE};
	struct buf down, up;
	uint8_t *body;
	size_t n;

	buf_init(&down, 0);
	buf_init(&up, 0);
	talk.client = clientauth_start(judge, &down);
	while (talk.client != CLIENTAUTH_FAILED) {
		if (down.len > 0) {
			ck_assert_int_lt(talk.messages, 7);
			body = logins_take(&down, 'R', &n);
			talk.requests[talk.messages++] = codes[body[3]];
			talk.server = logins_prove(prover, body, n, &up);
			free(body);
			if (talk.server == SERVERAUTH_FAILED)
				break;
		}
		if (talk.client == CLIENTAUTH_OK) {
			talk.server = serverauth_input(prover, "\0\0\0", 4, &up);
			break;
		}
		body = logins_take(&up, 'p', &n);
		ck_assert_uint_le(n, clientauth_message_max(judge));
		talk.client = logins_judge(judge, body, n, &down);
		free(body);
	}
	buf_fini(&down);
	buf_fini(&up);
	return talk;
}

#endif
