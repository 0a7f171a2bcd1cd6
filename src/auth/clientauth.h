/*
 * clientauth.h - we judge a client: bytes in, bytes out, a verdict.
 *
 * Called by session's login on the client's worker.  An unknown user, a user without
 * a usable secret and a wrong password get the same messages in the same order.
 * Never touches an fd, never logs, never waits.  PBKDF2 (milliseconds) runs at most
 * once for each password, see scram_cache.h, and elsewhere when it would take long.
 */
#ifndef AUTH_CLIENTAUTH_H
#define AUTH_CLIENTAUTH_H

#include "auth/scram_cache.h"
#include "auth/scram_text.h"
#include "base/buf.h"

enum clientauth_method {
	CLIENTAUTH_TRUST,  /* the user must be known */
	CLIENTAUTH_PROVEN, /* proved elsewhere (peer, certificate, any): succeeds at once */
	CLIENTAUTH_PLAIN,
	CLIENTAUTH_OUTSIDE, /* the password is asked for, and judged elsewhere (PAM, a directory); whoever it is */
	CLIENTAUTH_MD5, /* becomes SCRAM for a user whose stored secret is SCRAM */
	CLIENTAUTH_SCRAM,
	CLIENTAUTH_REJECT, /* fails at once */
};

enum clientauth_verdict {
	CLIENTAUTH_MORE,   /* send what is in out, feed the next PasswordMessage */
	CLIENTAUTH_OK,     /* proved; send what is in out (AuthenticationOk is the caller's to add) */
	CLIENTAUTH_ELSEWHERE, /* clientauth_password is to be judged; say clientauth_told then, and feed nothing before */
	CLIENTAUTH_DERIVE, /* the cache's scram_cache_take_job has something to be computed: feed the same message again while
			    * that is lent to the cache; it may be said once more */
	CLIENTAUTH_FAILED, /* see clientauth_error; what is in out is not for the client any more */
};

struct clientauth_ask {
	enum clientauth_method method;
	const char *user;                    /* as sent in the startup packet */
	const struct credential *credential; /* NULL: no such user.  Copied. */
	const struct credential *second;     /* as good as the first (rotation.h); NULL: none.  Copied. */
	bool looks_twice; /* others have a second secret: it is looked for with this one too, so that they don't stand out */
	const struct credential *stand_in;   /* for an unknown user: somebody's, which costs the same to take; NULL: none */
	struct scram_cache *cache;           /* the worker's; borrowed until clientauth_fini */
	uint32_t scram_iterations;           /* for secrets we derive and for users we don't know; 0: 4096 */
	bool mock_scram; /* treat an unknown user as one with a SCRAM secret (else: with a password).  Set it
			  * when most stored secrets are SCRAM, so that unknown users don't stand out in
			  * what they are asked and in how long it takes. */
	struct scram_binding binding; /* of the TLS connection: SCRAM-SHA-256-PLUS is offered, and "y" is a downgrade */
};

struct clientauth;

/* NULL when there is no memory. */
struct clientauth *clientauth_new(const struct clientauth_ask *ask) FX_MUST_USE;
void clientauth_free(struct clientauth *a); /* wipes; NULL is fine */

/* Once, first.  Appends the challenge to out. */
enum clientauth_verdict clientauth_start(struct clientauth *a, struct buf *out) FX_MUST_USE;
/* body: the n bytes after the length word of one message of type 'p'; borrowed until return.  The
 * caller wipes them.  May be called only after CLIENTAUTH_MORE; after another verdict it fails. */
enum clientauth_verdict clientauth_input(
	struct clientauth *a, const void *body, size_t n, struct buf *out) FX_MUST_USE;
/* CLIENTAUTH_OUTSIDE: what the client sent, from CLIENTAUTH_ELSEWHERE on; lent.  NULL: nothing yet, or another method. */
const struct secret *clientauth_password(const struct clientauth *a);
/* Once, after CLIENTAUTH_ELSEWHERE.  error: the sentence for the client, detail: for the log, when it is wrong; both are
 * borrowed until they have been asked for. */
enum clientauth_verdict clientauth_told(struct clientauth *a, bool is_right, const char *error, const char *detail) FX_MUST_USE;
bool clientauth_is_waiting(const struct clientauth *a); /* for clientauth_told */
/* The longest body of a 'p' message worth receiving now; a longer one is clientauth_refuse. */
size_t clientauth_message_max(const struct clientauth *a);
/* The message was too long: fails as a wrong password would. */
enum clientauth_verdict clientauth_refuse(struct clientauth *a);

/* After CLIENTAUTH_FAILED: the sentence for the client ("password authentication failed", "SASL
 * authentication failed"), its SQLSTATE, and what is for the log only (never a secret; constant). */
const char *clientauth_error(const struct clientauth *a);
const char *clientauth_sqlstate(const struct clientauth *a);
const char *clientauth_detail(const struct clientauth *a);
/* After CLIENTAUTH_OK: true and *keys when the login taught us keys for pass-through (the stored
 * secret is SCRAM).  The caller wipes them. */
bool clientauth_learnt(const struct clientauth *a, struct credential_keys *keys);
/* "trust", "plain", "md5", "scram-sha-256", "scram-sha-256-plus": what was really used. */
const char *clientauth_method_name(const struct clientauth *a);

#endif
