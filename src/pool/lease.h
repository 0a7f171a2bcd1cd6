/*
 * lease.h - the right of one client to use one server.
 *
 * The client's worker.  Embedded in the client; ask, use, return.  While it waits
 * it stands in the process-wide queue of its pool.
 */
#ifndef POOL_LEASE_H
#define POOL_LEASE_H

#include "base/dlist.h"
#include "pool/pool.h"

struct lease;
struct solo;

struct lease_ops {
	/* After LEASE_WAITS: lease->server is the client's; from the loop, never from inside lease_ask. */
	void (*on_granted)(struct lease *l);
	/* After LEASE_WAITS: no server can be had; lent until return. */
	void (*on_refused)(struct lease *l, const struct server_failure *why);
};

enum lease_state {
	LEASE_NONE,
	LEASE_QUEUED,  /* in the queue, or a server is on its way from another worker */
	LEASE_TESTING, /* server is being pinged for it */
	LEASE_SOLO,    /* solo.h: a server of its own is being opened */
	LEASE_HELD,
};

struct lease {
	struct pool *pool;
	struct server *server; /* LEASE_HELD: ours to use; LEASE_TESTING: not yet */
	const struct lease_ops *ops;
	struct dlist link; /* of the queue, under share->lock */
	uint64_t since;	   /* when it was asked for, monotonic microseconds */
	struct solo *solo; /* LEASE_SOLO */
	uint64_t handle;   /* while queued or testing */
	uint8_t state;
	bool is_asking; /* inside lease_ask: the answer is its return value */
};

enum lease_answer { LEASE_GRANTED, LEASE_WAITS, LEASE_REFUSED };

void lease_init(struct lease *l, const struct lease_ops *ops);
/* since: when the client began to wait; loop_now for a new request.  LEASE_REFUSED: *why is filled in. */
enum lease_answer lease_ask(struct lease *l, struct pool *pool, uint64_t since, struct server_failure *why) FX_MUST_USE;
/* Stops waiting.  Harmless when it does not wait. */
void lease_leave(struct lease *l);
/* The server is quiet (server_is_quiet): back to the pool.  reset: run server_reset_query first. */
void lease_return(struct lease *l, bool reset);
/* The server was not ridden at all. */
void lease_give_unused(struct lease *l);
/* The client is done with a server that is not quiet.  mid_message: a request was written in part. */
void lease_abandon(struct lease *l, bool mid_message, bool reset);
/* Throws the server away. */
void lease_close_server(struct lease *l, enum server_end why);
/* For pool: the lease leaves the queue with a server, or with a server under test, or goes back to its old place, or
 * is told that nothing can be had. */
void lease_grant(struct lease *l, struct server *s);
void lease_test(struct lease *l, struct server *s);
void lease_requeue(struct lease *l);
void lease_rejoin(struct lease *l); /* a promised server from another worker can't be used */
void lease_refuse(struct lease *l, const struct server_failure *why);
/* The server has told the rider that it is lost: the lease is none any more. */
void lease_lost(struct lease *l);

#endif
