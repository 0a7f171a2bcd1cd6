/*
 * timeout.h - deadlines in O(1): a first-in-first-out list per duration.
 *
 * One thread (the loop's).  Equal durations expire in the order they were armed,
 * so each list is sorted by itself; the loop needs one timer for the earliest
 * head.  Durations are microseconds; a deadline fires at or after its time,
 * never before.  Lists are for the durations of the configuration; when there are
 * more different ones at a time (jitter), the rest shares one sorted list, where
 * arming costs a walk over the later ones.
 */
#ifndef NET_TIMEOUT_H
#define NET_TIMEOUT_H

#include "base/dlist.h"

struct timeout {
	struct dlist link;
	uint64_t due;
	void (*fire)(struct timeout *);
};

#define TIMEOUT_CLASSES 24

struct timeout_class {
	uint64_t duration;
	struct dlist armed;
};

struct timeout_set {
	struct timeout_class class[TIMEOUT_CLASSES];
	unsigned count;	  /* classes in use, now or once */
	struct dlist odd; /* sorted by due */
};

void timeout_set_init(struct timeout_set *t);
/* Disarms all. */
void timeout_set_fini(struct timeout_set *t);
void timeout_init(struct timeout *t, void (*fire)(struct timeout *));
/* (Re)arms: due at now + duration.  duration 0 disarms. */
void timeout_arm(struct timeout_set *all, struct timeout *t, uint64_t now, uint64_t duration);
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
uint64_t timeout_next_due(struct timeout_set *all);
/* Fires everything that is due, those of one duration in the order of arming; a callback may arm and disarm
 * whatever it likes, and free its own. */
void timeout_run(struct timeout_set *all, uint64_t now);

#endif
