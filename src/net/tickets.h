/*
 * tickets.h - keys of TLS session tickets, which change every hour.
 *
 * A ticket of this hour or the last one is taken on every loop: the keys are
 * derived from one secret and the hour, so nothing is kept and nobody waits.
 * Any thread.
 */
#ifndef NET_TICKETS_H
#define NET_TICKETS_H

#include "base/check.h"

#define TICKETS_SECRET_LEN 32

struct ssl_ctx_st;

struct tickets {
	uint8_t secret[TICKETS_SECRET_LEN];
};

void tickets_init(struct tickets *t);
void tickets_wipe(struct tickets *t);
/* t must live as long as ctx. */
void tickets_install(struct ssl_ctx_st *ctx, struct tickets *t);

#endif
