/*
 * helper.h - the threads of those who have work that waits: errand, resolve, lookup.
 *
 * A helper runs without signals.  The owner's end joins its helpers, so that nothing of theirs is left (libraries keep
 * things for a thread until its very end); but it does not wait for long: those that hang are let go, and the last one
 * that comes back clears up.  Everything under the owner's lock unless said otherwise.
 */
#ifndef NET_HELPER_H
#define NET_HELPER_H

#include "base/dlist.h"
#include "base/lock.h"

#define HELPER_END_US UINT64_C(200000)

struct helpers {
	struct lock *lock; /* the owner's */
	pthread_cond_t changed; /* by CLOCK_MONOTONIC; the owner's to wait and to wake with, too */
	/* A helper's life.  Called under the lock, drops it as it likes, returns under it. */
	void (*run)(void *owner);
	/* Without the lock: frees the owner, instead of helper_end's caller. */
	void (*destroy)(void *owner);
	void *owner;
	struct dlist all; /* struct helper */
	unsigned count;	  /* that have not come to their end */
	bool is_ending, is_abandoned;
};

/* Without the lock. */
void helper_init(struct helpers *h, struct lock *lock, void (*run)(void *owner), void (*destroy)(void *owner), void *owner);
/* Without the lock, when there are none. */
void helper_fini(struct helpers *h);
/* One more, unless the system has none. */
void helper_start(struct helpers *h);
/* Drops the lock.  The owner has told its helpers to end and woken them.  Waits for wait microseconds, and at most as long again for
 * the last steps of threads that have nothing to do any more.  false: some hang, and the last of them will call destroy. */
bool helper_end(struct helpers *h, uint64_t wait) FX_MUST_USE;

#endif
