/*
 * tickets.h - keys of TLS session tickets, which change every hour.
 *
 * A ticket of this hour or the last one is taken on every loop: the keys are derived from one secret and the hour, so
 * the loops need not tell each other and nobody waits.  Those of the hour are kept, for one loop each.
 */
#ifndef NET_TICKETS_H
#define NET_TICKETS_H

#include "base/check.h"

#define TICKETS_SECRET_LEN 32

struct ssl_ctx_st;
struct tickets;

/* For the thread that uses ctx.  Borrows secret (TICKETS_SECRET_LEN bytes), and ctx borrows what is given: both must be there as
 * long as ctx.  NULL: OpenSSL failed. */
struct tickets *tickets_new(struct ssl_ctx_st *ctx, const uint8_t *secret) FX_MUST_USE;
/* NULL is fine. */
void tickets_free(struct tickets *t);

#endif
