/*
 * keeper.h - the settings of a pool, and the housekeeping that nobody waits for:
 * idle, surplus and aged servers, min_pool_size, the reserve, probing.
 *
 * The worker's thread.
 */
#ifndef POOL_KEEPER_H
#define POOL_KEEPER_H

#include "pool/pool.h"

/* Begins the worker's housekeeping timer. */
void keeper_start(struct home *home);
/* The worker does not rest any more: the next look comes as soon as ever. */
void keeper_wake(struct home *home);
/* Limits and target of a pool from the home's snapshot.  replace: the snapshot is newer than what the share has.
 * -1: the snapshot knows no such database. */
int keeper_configure(struct pool *pool, bool replace) FX_MUST_USE;
/* After a reload: servers of this worker take the share's target when it is for the same place, else they are outdated. */
void keeper_check_targets(struct pool *pool);
/* s was in no list of a worker when the settings were reloaded, perhaps: gives it the share's target, or outdates it. */
void keeper_adopt(struct pool *pool, struct server *s);
/* A client's login has taught keys that log in to the server as well. */
void keeper_learn_keys(struct pool *pool, const struct credential_keys *keys);
/* A login has shown the secret of the pool's user, who is not in auth_file.  Copied. */
void keeper_learn_secret(struct pool *pool, const struct credential *found);
/* What a new server needs from the settings. */
void keeper_prepare(struct pool *pool, struct server *s);
/* Another pool needs the place of an idle server. */
void keeper_evict(struct pool *pool);

#endif
