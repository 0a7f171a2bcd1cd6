/*
 * serverauth.h - we prove ourselves to a PostgreSQL server: bytes in, bytes out.
 *
 * Called by server's login on the server's worker with the body of each
 * Authentication message.  AuthenticationOk is believed only when no SCRAM exchange
 * was begun or its server signature was verified.  Never touches an fd, never logs.
 */
#ifndef AUTH_SERVERAUTH_H
#define AUTH_SERVERAUTH_H

#include "auth/scram_cache.h"
#include "auth/scram_text.h"
#include "base/buf.h"

/* Which requests of the server we follow (PgBouncer's manner: all). */
#define SERVERAUTH_MAY_TRUST     1u /* AuthenticationOk without a question */
#define SERVERAUTH_MAY_CLEARTEXT 2u
#define SERVERAUTH_MAY_MD5       4u
#define SERVERAUTH_MAY_SCRAM     8u
#define SERVERAUTH_MAY_ALL       15u

/* As libpq's channel_binding. */
enum serverauth_binding {
	SERVERAUTH_BINDING_PREFER,  /* over TLS, when the server offers it */
	SERVERAUTH_BINDING_DISABLE, /* never, and the server is told that we know nothing of it */
	SERVERAUTH_BINDING_REQUIRE, /* no other proof is given, and no other login believed */
};

enum serverauth_verdict {
	SERVERAUTH_MORE,   /* send what is in out, if anything; feed the next Authentication message */
	SERVERAUTH_DERIVE, /* the cache's scram_cache_take_job has something to be computed: serverauth_derived while that is
			    * lent to the cache.  What the server sends meanwhile is out of order. */
	SERVERAUTH_OK,     /* AuthenticationOk, and rightly so */
	SERVERAUTH_FAILED, /* see serverauth_error; close the connection */
};

struct serverauth_ask {
	const char *user;                    /* the name in our StartupMessage; copied */
	const struct credential *credential; /* NULL: none known; copied */
	const struct credential_keys *keys;  /* pass-through, may be NULL; copied */
	struct scram_cache *cache;           /* the worker's; borrowed until serverauth_free */
	unsigned may;                        /* SERVERAUTH_MAY_*; 0 means all */
	const char *requirement;             /* where may comes from, for the sentence; NULL or ""; borrowed until serverauth_free */
	const char *withheld;                /* not NULL: a sentence, why a cleartext or md5 password is not sent; borrowed likewise */
	enum serverauth_binding binding_mode;
	const char *from; /* where the credential comes from ("auth_file"), for serverauth_detail; NULL: not told; borrowed likewise */
	struct scram_binding binding;        /* of the TLS connection */
};

struct serverauth;

/* NULL when there is no memory. */
struct serverauth *serverauth_new(const struct serverauth_ask *ask) FX_MUST_USE;
void serverauth_free(struct serverauth *a); /* wipes; NULL is fine */
/* body: the n bytes after the length word of one message of type 'R'; borrowed until return. */
enum serverauth_verdict serverauth_input(
	struct serverauth *a, const void *body, size_t n, struct buf *out) FX_MUST_USE;
enum serverauth_verdict serverauth_derived(struct serverauth *a, struct buf *out) FX_MUST_USE;
/* The longest Authentication message worth receiving; a longer one is a broken server. */
#define SERVERAUTH_MESSAGE_MAX 8192
/* After SERVERAUTH_FAILED: a sentence without secrets ("wrong password type", "invalid server
 * signature"...), lent until serverauth_free; for the log and for waiting clients. */
const char *serverauth_error(const struct serverauth *a);
/* After SERVERAUTH_FAILED, or when the server has refused what it was sent (28P01): what the operator should know and no client
 * need, or "".  Lent until serverauth_free. */
const char *serverauth_detail(struct serverauth *a);
/* After SERVERAUTH_FAILED: the server's secret is another one than ours, so no proof was sent. */
bool serverauth_is_mismatch(const struct serverauth *a);
/* Was a password or a proof of one sent?  (After a failure: the secret is wrong, not the network.) */
bool serverauth_has_answered(const struct serverauth *a);

#endif
