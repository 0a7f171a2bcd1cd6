/*
 * retire.h - which idle server may leave now: lingering overflow, surplus, idle and aged ones.
 *
 * The worker's thread.  Exact over all workers: a server that may leave is
 * claimed under the share's lock, so that two workers never let the same one
 * too many go.
 */
#ifndef POOL_RETIRE_H
#define POOL_RETIRE_H

#include "pool/pool.h"

static inline bool retire_is_aged(const struct server *s, uint64_t now)
{
	return s->lifetime > 0 && now - s->connected_at >= s->lifetime;
}
/* SERVER_END_NONE: it stays.  Otherwise it is claimed, and the caller closes it at once for this reason. */
enum server_end retire_check(struct pool *pool, struct server *s, uint64_t now);
/* The server leaves, for whatever reason; share->lock is held. */
void retire_account(struct share *share, struct server *s);
/* A server is gone: opens the successor of one that had to go first. */
void retire_refill(struct pool *pool);

#endif
