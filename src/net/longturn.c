/*
 * longturn.c - the longest turns of a loop.
 *
 * The loop's thread.  Comes to more than two comparisons only when a period has ended, or for a turn that is longer than
 * all of this period, or so long that somebody is to be told.
 */
#include "net/longturn.h"

#include "net/loop.h"

static void longturn_set_notable(struct longturns *l)
{
	l->notable = l->period.us < LONGTURN_TOLD_US ? l->period.us : LONGTURN_TOLD_US;
}

void longturn_init(struct longturns *l, uint64_t now)
{
	*l = (struct longturns){.period_us = LONGTURN_PERIOD_US, .period_ends = now + LONGTURN_PERIOD_US};
}

void longturn_set_period(struct longturns *l, uint64_t us)
{
	l->period_ends = l->period_ends - l->period_us + us;
	l->period_us = us;
}

static void longturn_end_period(struct longturns *l, uint64_t now)
{
	/* a loop that slept through a whole period had no long turn in it */
	l->before = now < l->period_ends + l->period_us ? l->period : (struct longturn){.us = 0};
	l->period = (struct longturn){.us = 0};
	l->period_ends = now + l->period_us;
	longturn_set_notable(l);
}

struct longturn longturn_recent(struct longturns *l, uint64_t now)
{
	if (now >= l->period_ends)
		longturn_end_period(l, now);
	return l->period.us >= l->before.us ? l->period : l->before;
}

static void longturn_note(struct loop *loop, uint64_t us)
{
	const struct longturn turn = {.us = us, .events = loop->events};
	struct longturns *l = &loop->longturns;

	if (us > l->ever.us)
		l->ever = turn;
	if (us > l->period.us)
		l->period = turn;
	longturn_set_notable(l);
	if (us > LONGTURN_TOLD_US && l->on_long != NULL)
		l->on_long(loop, &turn);
}

void longturn_ended(struct loop *loop, uint64_t now)
{
	uint64_t us = now - loop->now;

	if (now >= loop->longturns.period_ends)
		longturn_end_period(&loop->longturns, now);
	if (us > loop->longturns.notable)
		longturn_note(loop, us);
}
