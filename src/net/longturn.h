/*
 * longturn.h - how long the turns of a loop last: from having been woken to asking the kernel for more.
 *
 * All that lives on a loop waits while it is in a turn, so the longest is what anybody may have waited
 * because of somebody else.  Wall time: a thread that is not given a core while it has work counts as busy.
 * The loop's thread.  A turn costs one reading of the clock at its end and two comparisons; where it began
 * is loop_now.
 */
#ifndef NET_LONGTURN_H
#define NET_LONGTURN_H

#include "base/check.h"

#define LONGTURN_TOLD_US UINT64_C(100000)	/* on_long hears of turns that are longer */
#define LONGTURN_PERIOD_US UINT64_C(60000000)	/* unless said otherwise */

struct loop;

struct longturn {
	uint64_t us;
	unsigned events; /* connections that had something, letters of other threads */
};

struct longturns {
	struct longturn ever, period, before; /* since the start, in this period, in the one before */
	uint64_t notable;		      /* shorter turns change nothing */
	uint64_t period_ends, period_us;
	void (*on_long)(struct loop *loop, const struct longturn *turn); /* NULL: nobody wants to know */
};

void longturn_init(struct longturns *l, uint64_t now);
/* The present period ends when it would have ended with the new length, or at the next turn. */
void longturn_set_period(struct longturns *l, uint64_t us);
/* The longest of this period and the one before: seen at once, and for one period at least. */
struct longturn longturn_recent(struct longturns *l, uint64_t now);
/* For loop.c: a turn has ended. */
void longturn_ended(struct loop *loop, uint64_t now);

#endif
