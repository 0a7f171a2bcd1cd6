/*
 * pool.h - one worker's part of a pool: its servers for one (database, user).
 *
 * That worker's thread.  Takes servers from its own idle stack without a lock;
 * everything that concerns other workers goes through the share.
 */
#ifndef POOL_POOL_H
#define POOL_POOL_H

#include "pool/home.h"
#include "pool/share.h"
#include "stats/stats.h"

struct lease;

/* server->place: which list of its pool it is on */
enum pool_place {
	POOL_PLACE_NONE,
	POOL_PLACE_IDLE,
	POOL_PLACE_ACTIVE,
	POOL_PLACE_BUSY,
	POOL_PLACE_OPENING,
	POOL_PLACE_CLOSING,
};

struct pool {
	struct share *share;
	struct home *home;
	struct dlist link;	/* of home->pools */
	struct dlist idle;	/* most recently used first */
	struct dlist active;	/* ridden */
	struct dlist busy;	/* testing, cleaning */
	struct dlist opening;	/* connecting, login */
	struct dlist closing;	/* on their way out */
	unsigned idle_count, active_count, busy_count, opening_count, closing_count;
	unsigned clients; /* of this worker that use this pool */
	unsigned waiting; /* of them, leases that wait */
	struct conf_limits limits;
	struct stats stats;
	uint64_t empty_since; /* monotonic; 0: it is not, as far as the keeper has looked */
	uint64_t max_wait; /* longest wait that ended since the monitor last looked, microseconds */
};

/* The pool of this worker for (database entry's name, server user); made on first use.  NULL: no such database. */
struct pool *pool_get(struct home *home, const char *database, const char *user);
/* The same for a share that is there. */
struct pool *pool_of(struct home *home, struct share *share);
/* Empty, or the worker ends.  Its counts stay with the share. */
void pool_free(struct pool *pool);
/* Neither clients nor servers on this worker. */
bool pool_is_empty(const struct pool *pool);
/* Servers this pool may have in the process: pool_size + max_overflow, 0 = no limit. */
unsigned pool_cap(const struct pool *pool);

/* Gives idle servers of this worker to whoever waits longest (opener_launch opens more if that is not enough). */
void pool_serve(struct pool *pool);
/* A free, quiet server of this worker comes back or is new. */
void pool_put(struct pool *pool, struct server *s);
/* The idle server that goes next: the one that was used last, or first with server_round_robin; NULL: none. */
struct server *pool_next_idle(const struct pool *pool);
/* Takes it. */
struct server *pool_take_idle(struct pool *pool);
/* Gives s (taken, idle) to a waiting lease of this worker: after a ping if one is due. */
void pool_give(struct pool *pool, struct lease *lease, struct server *s);
bool pool_needs_ping(const struct pool *pool, const struct server *s);
/* Fails all waiting leases of this worker. */
void pool_refuse_waiters(struct pool *pool, const struct server_failure *why);
/* Closes idle servers; those in use are closed when they come back (outdated). */
void pool_close_servers(struct pool *pool, enum server_end why);
/* Moves s between the lists by what it does now; pool_unlist takes it off. */
void pool_list(struct pool *pool, struct server *s, enum pool_place place);
void pool_unlist(struct pool *pool, struct server *s);
/* Called by lease.c when a lease begins and ends. */
void pool_count_wait(struct pool *pool, uint64_t since);

#endif
