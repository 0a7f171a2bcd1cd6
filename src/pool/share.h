/*
 * share.h - the part of a pool that all workers share: who waits, and what is known
 * about its server.
 *
 * Any thread.  Fields are guarded by share->lock unless they are atomic or said to
 * be constant; `servers` is guarded by the hub's lock.  The two atomics of the hot
 * path, waiters and side[].idle, make a pair: whoever adds a waiter writes waiters
 * and then reads the idles, whoever puts a server back writes its idle and then
 * reads waiters (all sequentially consistent), so one of them sees the other.
 */
#ifndef POOL_SHARE_H
#define POOL_SHARE_H

#include "base/dlist.h"
#include "base/lock.h"
#include "pool/hub.h"
#include "server/server.h"
#include "stats/stats.h"

struct pool;
struct lease;

/* The ParameterStatus messages of the pool's servers as wire bytes, immutable and counted. */
struct share_welcome {
	_Atomic unsigned refs;
	size_t len;
	uint8_t bytes[];
};

struct share_side {
	_Alignas(64) _Atomic unsigned idle; /* usable idle servers of that worker; written by it alone */
	_Atomic bool is_poked;		    /* a poke is under way to that worker */
	struct dlist queue;		    /* its waiting leases, oldest first */
	struct pool *pool;		    /* its part; NULL: it has none */
	struct stats past;		    /* of its parts that are no more: the next one goes on counting from here */
};

struct share {
	struct hub *hub;
	char *database, *user; /* constant */
	bool is_ours;	       /* constant; see hub_share */
	struct hub_tally *database_tally, *user_tally;
	unsigned servers;	/* open in any state, closing included; hub->lock */
	bool is_starved;	/* on hub->starved; hub->lock */
	struct dlist starved_link;
	_Alignas(64) _Atomic unsigned waiters;
	_Atomic unsigned solos_waiting; /* solo.c: clients that wait for a place */
	_Atomic unsigned claims;  /* ... servers of the pool that are to make room when they come back */
	_Atomic bool is_paused;	  /* no server is given out */
	_Atomic bool is_disabled; /* no new clients */
	_Atomic bool has_forbidden;
	/* not beside what every transaction reads */
	_Alignas(64) struct lock lock;
	unsigned connecting;   /* opening now, on any worker */
	unsigned ready;	       /* logged in and not ending, on any worker */
	uint64_t ready_total;  /* servers that ever became ready */
	unsigned solos;	       /* servers of solo.c: counted in servers, but neither in connecting nor in ready */
	unsigned leaving;      /* of ready: claimed to be closed */
	unsigned replacing;    /* of ready: their successors are being opened */
	unsigned refill;       /* successors to be opened when their predecessor is gone */
	bool is_failing;       /* the last attempt failed and nothing has become ready since */
	uint64_t retry_at;     /* no attempt before this (monotonic) */
	unsigned failed_hosts; /* of a list, one after another, since something was ready or we gave up for a while */
	uint64_t last_asked;   /* monotonic; when a client last had to ask the shared part */
	struct server_failure failure;
	struct target *target; /* NULL until a worker has made it */
	struct credential *found; /* the secret of the pool's user, as a login has shown it; NULL: none has */
	struct share_welcome *welcome;
	struct params forbidden; /* names of parameters that its servers report and nobody can set */
	struct share_side side[]; /* one for each worker */
};

struct share *share_new(struct hub *h, const char *database, const char *user);
void share_free(struct share *share);

/* Takes the lock itself.  A reference, or NULL when no server has ever been ready. */
struct share_welcome *share_welcome_get(struct share *share);
void share_welcome_unref(struct share_welcome *w);
/* A server is ready: what it reports becomes the welcome of new clients. */
void share_ready(struct share *share, const struct params *params);

/* A parameter that the pool's servers report and refuse to set: it follows no client from now on.  Take the lock. */
void share_forbid(struct share *share, const char *name);
bool share_is_forbidden(struct share *share, const char *name);

/* The queue; all with share->lock held. */
void share_enqueue(struct share *share, unsigned worker, struct lease *lease);
void share_unqueue(struct share *share, struct lease *lease);
/* The lease that a server of this worker goes to: the oldest of all, or the oldest of this worker when nobody else
 * has waited a millisecond longer.  Removed from the queue; NULL: nobody waits. */
struct lease *share_pick(struct share *share, unsigned worker, unsigned *of_worker);
/* When the oldest waiter began to wait; 0: nobody waits. */
uint64_t share_oldest(struct share *share);
/* Idle servers of other workers. */
unsigned share_idle_elsewhere(struct share *share, unsigned worker);
/* Takes the hub's lock. */
unsigned share_servers(struct share *share);
unsigned share_idle_total(struct share *share);

/* The database is not configured any more: when nobody is there either, lets go of where it led, since that may hold a password. */
void share_forget(struct share *share);

#endif
