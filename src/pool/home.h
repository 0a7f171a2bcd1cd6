/*
 * home.h - where the pools of one worker live, and the mail between homes.
 *
 * The worker's thread, but for the functions that say otherwise.
 */
#ifndef POOL_HOME_H
#define POOL_HOME_H

#include "auth/scram_cache.h"
#include "base/rnd.h"
#include "base/slots.h"
#include "conf/conf.h"
#include "pool/hub.h"
#include "server/derive.h"

struct pool;
struct server;
struct share;
struct server_failure;

struct home {
	struct loop *loop;
	struct hub *hub;
	unsigned index;
	struct conf *conf; /* this worker's snapshot */
	struct dlist pools;
	struct slots leases; /* of leases that wait */
	struct scram_cache scram_cache;
	struct derive derive; /* what scram_cache has computed elsewhere */
	struct rnd rnd;
	struct timeout janitor;
	bool must_found; /* the snapshot is new: keeper_found looks at it */
	bool has_moved;	 /* a server has changed its place or somebody waits, since the keeper last looked */
	uint8_t quiet;	 /* looks at which nothing had moved and nothing was going on */
	_Atomic bool is_resting; /* such that the ticks are few, or none; home_moved ends it.  Read by the monitor */
	_Atomic unsigned stirs;	 /* how often it has ended */
	void (*on_stir)(struct home *home); /* called then; NULL: none */
	void *owner; /* session's struct worker */
};

/* loop->owner must be the home of that loop.  Takes a reference on conf. */
void home_init(struct home *home, struct loop *loop, struct hub *hub, unsigned index, struct conf *conf);
/* Closes nothing: servers must be gone. */
void home_fini(struct home *home);
/* A new snapshot: limits and targets anew; servers whose target has changed are outdated. */
void home_reload(struct home *home, struct conf *conf);
/* The end of rest. */
void home_stir(struct home *home);
static inline void home_moved(struct home *home)
{
	home->has_moved = true;
	if (FX_UNLIKELY(atomic_load_explicit(&home->is_resting, memory_order_relaxed)))
		home_stir(home);
}

/* Any thread: asks the workers that have waiters (or, if none, nobody) to serve and open. */
void home_wake_waiters(struct share *share);
/* Any worker: asks another worker to give its idle servers to waiters. */
void home_poke(struct share *share, unsigned worker);
/* Any worker: asks another worker to close one idle server. */
void home_evict(struct share *share, unsigned worker);
/* Any worker: hands a detached server to the lease (or pool) of another worker. */
void home_hand_over(struct share *share, unsigned worker, uint64_t lease_handle, struct server *s);
/* Any worker: fails the waiters of all workers (of this one as well, by mail). */
void home_refuse_waiters(struct share *share, const struct server_failure *why);

#endif
