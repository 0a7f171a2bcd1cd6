/*
 * timeout.h - deadlines in O(1): a first-in-first-out list per duration.
 *
 * One thread (the loop's).  Equal durations expire in the order they were armed,
 * so each list is sorted by itself; the loop needs one timer for the earliest
 * head.  Durations are microseconds; a deadline fires at or after its time,
 * never before.
 */
#ifndef NET_TIMEOUT_H
#define NET_TIMEOUT_H

#include "base/dlist.h"

struct timeout {
	struct dlist link;
	uint64_t due;
	void (*fire)(struct timeout *);
};

struct timeout_class;

struct timeouts {
	struct timeout_class **class;
	unsigned count, cap;
};

void timeouts_init(struct timeouts *t);
void timeouts_fini(struct timeouts *t);
void timeout_init(struct timeout *t, void (*fire)(struct timeout *));
/* (Re)arms: due at now + duration.  duration 0 disarms. */
void timeout_arm(struct timeouts *all, struct timeout *t, uint64_t now, uint64_t duration);
static inline void timeout_disarm(struct timeout *t)
{
	if (dlist_is_linked(&t->link))
		dlist_remove(&t->link);
}
static inline bool timeout_is_armed(const struct timeout *t)
{
	return dlist_is_linked(&t->link);
}
/* The earliest due time, 0 when nothing is armed. */
uint64_t timeout_next_due(struct timeouts *all);
/* Fires everything that is due; a callback may arm and disarm whatever it likes. */
void timeout_run(struct timeouts *all, uint64_t now);

#endif
