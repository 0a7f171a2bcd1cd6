/*
 * opener.h - opening servers and their life as the pool sees it.
 *
 * The worker's thread.
 */
#ifndef POOL_OPENER_H
#define POOL_OPENER_H

#include "pool/pool.h"

/* Opens one server if the limits allow it and nothing holds it back. cap: most servers of the pool, 0 = no limit. */
bool opener_open(struct pool *pool, unsigned cap);
/* The same, but takes no place from an idle server of another pool. */
bool opener_open_spare(struct pool *pool, unsigned cap);
/* PostgreSQL has let go of s, which is freed: its place is free. */
void opener_gone(struct server *s);
/* Opens servers while somebody waits for one that is not on its way yet. */
void opener_launch(struct pool *pool);

#endif
