/*
 * secure.h - TLS on a new connection to PostgreSQL, before its first message.
 *
 * The server's worker; used for logins and for cancel requests alike, so that
 * neither is less safe than the other.  PostgreSQL "SSL Session Encryption":
 * one question, one byte of answer, and nothing may come with it.
 */
#ifndef SERVER_SECURE_H
#define SERVER_SECURE_H

#include "net/conn.h"
#include "server/target.h"

enum secure_next {
	SECURE_GO,    /* in the clear: say what is to be said */
	SECURE_WAITS, /* on_bytes, on_secured or on_closed follows */
	SECURE_FAILS, /* *why says so */
};

/* The conn has been connected.  wanted: TLS is to be had, if the server can. */
enum secure_next secure_begin(struct conn *c, struct target *t, const struct target_host *host, bool wanted,
			      const char **why) FX_MUST_USE;
/* The answer to the question. */
enum secure_next secure_answer(struct conn *c, struct target *t, const struct target_host *host, const uint8_t *data,
			       size_t n, const char **why) FX_MUST_USE;

#endif
