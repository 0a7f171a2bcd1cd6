/*
 * derive.h - SCRAM keys of many iterations, computed by helper threads while their worker does something else.
 *
 * The worker's thread.  One struct derive for each worker; clients and servers that log in wait here.  Who asks what is
 * being computed already waits for that.
 */
#ifndef SERVER_DERIVE_H
#define SERVER_DERIVE_H

#include "auth/scram_cache.h"
#include "base/dlist.h"

struct errands;
struct loop;
struct derive_job;

#define DERIVE_HERE_MAX 4096u /* iterations that a worker computes itself: below a millisecond or two */
#define DERIVE_THREADS 2
#define DERIVE_WAITING 1024

struct derive {
	struct scram_cache *cache;
	struct errands *errands;
	struct loop *loop;
	struct dlist jobs; /* struct derive_job: under way */
};

/* All borrowed.  errands NULL: everything is computed at once, by whoever asks. */
void derive_init(struct derive *d, struct scram_cache *cache, struct errands *errands, struct loop *loop);
/* The worker comes to its end, nobody waits any more: what is under way will be nobody's, and nothing more is begun.
 * Before the errands are freed.  More than once is fine. */
void derive_end(struct derive *d);

/* One who waits; his own. */
struct derive_wait {
	struct dlist link;
	struct derive_job *job; /* NULL: he does not wait */
	/* The answer is lent to the cache until this returns; the wait is over. */
	void (*on_derived)(struct derive_wait *w);
};
void derive_wait_init(struct derive_wait *w, void (*on_derived)(struct derive_wait *w));
/* cache wants a job: it is begun, or joined.  false: too many are waiting, on_derived will not come. */
bool derive_ask(struct scram_cache *cache, struct derive_wait *w) FX_MUST_USE;
/* What nobody waits for any more is left undone where it has not been begun.  Harmless for who does not wait. */
void derive_forget(struct derive_wait *w);

#endif
