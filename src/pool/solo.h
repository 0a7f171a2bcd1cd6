/*
 * solo.h - a server for one client alone: opened for it, never lent to another, closed when it leaves.
 *
 * The client's worker.  Replication connections are such.  It counts in every limit
 * like any other server; where there is no room it waits, and an idle server of the
 * pool, or the next one that comes back, makes room.
 */
#ifndef POOL_SOLO_H
#define POOL_SOLO_H

#include "pool/lease.h"

struct solo;

/* l is LEASE_NONE; takes target (its member replication is set).  The answer comes with on_granted or on_refused,
 * never from inside this call; lease_leave withdraws. */
void solo_ask(struct lease *l, struct pool *pool, struct target *target);
/* For lease_leave: the client has gone. */
void solo_leave(struct lease *l);
/* Is this server somebody's alone? */
static inline bool solo_is(const struct server *s)
{
	return s->target->replication != NULL;
}
/* For pool_put: somebody waits for the place of one of the pool's servers; true: of this one. */
bool solo_claims(struct share *share);

#endif
