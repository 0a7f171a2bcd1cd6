/*
 * tickets.h - keys of TLS session tickets, which change every hour.
 *
 * A ticket of this hour or the last one is taken on every loop: the keys are derived from one secret and the hour, so
 * the loops need not tell each other and nobody waits.  Those of the hour are kept, for one loop each.
 *
 * Most clients of PostgreSQL (all of libpq's) never come back with one.  When TICKETS_IGNORED in a row did no good, one
 * handshake in TICKETS_RARELY gets one, until somebody comes back with one: then all do again.
 */
#ifndef NET_TICKETS_H
#define NET_TICKETS_H

#include "base/check.h"

#define TICKETS_SECRET_LEN 32
#define TICKETS_IGNORED 256
#define TICKETS_RARELY 16

struct ssl_ctx_st;
struct ssl_st;
struct tickets;

/* For the thread that uses ctx.  Borrows secret (TICKETS_SECRET_LEN bytes), and ctx borrows what is given: both must be there as
 * long as ctx.  NULL: OpenSSL failed. */
struct tickets *tickets_new(struct ssl_ctx_st *ctx, const uint8_t *secret) FX_MUST_USE;
/* Of a context with tickets, before its handshake: whether it will get one. */
void tickets_begin(struct ssl_st *ssl);
/* NULL is fine. */
void tickets_free(struct tickets *t);

#endif
