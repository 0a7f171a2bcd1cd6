/*
 * timeout.c - deadlines in O(1): a first-in-first-out list per duration.
 *
 * Durations come from the configuration, so there are a handful of lists and
 * looking one up by walking is cheaper than hashing.
 */
#include "net/timeout.h"

void timeout_set_init(struct timeout_set *t)
{
	t->count = 0;
	dlist_init(&t->odd);
}

void timeout_set_fini(struct timeout_set *t)
{
	for (unsigned i = 0; i < t->count; i++)
		while (dlist_pop_front(&t->class[i].armed) != NULL)
			;
	while (dlist_pop_front(&t->odd) != NULL)
		;
	t->count = 0;
}

void timeout_init(struct timeout *t, void (*fire)(struct timeout *))
{
	dlist_init(&t->link);
	t->due = 0;
	t->fire = fire;
}

/* NULL: as many durations as there are lists are armed */
static struct timeout_class *timeout_class_get(struct timeout_set *all, uint64_t duration)
{
	struct timeout_class *class = NULL;

	for (unsigned i = 0; i < all->count; i++) {
		if (all->class[i].duration == duration)
			return &all->class[i];
		if (class == NULL && dlist_is_empty(&all->class[i].armed))
			class = &all->class[i];
	}
	if (all->count < TIMEOUT_CLASSES)
		class = &all->class[all->count++];
	if (class != NULL) {
		class->duration = duration;
		dlist_init(&class->armed);
	}
	return class;
}

static void timeout_insert_odd(struct timeout_set *all, struct timeout *t)
{
	struct dlist *after = all->odd.prev;

	while (after != &all->odd && container_of(after, struct timeout, link)->due > t->due)
		after = after->prev;
	dlist_push_front(after, &t->link);
}

void timeout_arm(struct timeout_set *all, struct timeout *t, uint64_t now, uint64_t duration)
{
	struct timeout_class *class;

	timeout_disarm(t);
	if (duration == 0)
		return;
	t->due = duration < UINT64_MAX - now ? now + duration : UINT64_MAX;
	class = timeout_class_get(all, duration);
	if (class != NULL)
		dlist_push_back(&class->armed, &t->link);
	else
		timeout_insert_odd(all, t);
}

static uint64_t timeout_due_of(struct dlist *armed, uint64_t due)
{
	struct dlist *first = dlist_first(armed);

	if (first == NULL)
		return due;
	const struct timeout *t = container_of(first, struct timeout, link);

	return due == 0 || t->due < due ? t->due : due;
}

uint64_t timeout_next_due(struct timeout_set *all)
{
	uint64_t due = timeout_due_of(&all->odd, 0);

	for (unsigned i = 0; i < all->count; i++)
		due = timeout_due_of(&all->class[i].armed, due);
	return due;
}

static void timeout_run_list(struct dlist *armed, uint64_t now)
{
	struct dlist *first;

	/* the callback may do anything to the list: begin anew each time */
	while ((first = dlist_first(armed)) != NULL) {
		struct timeout *t = container_of(first, struct timeout, link);

		if (t->due > now)
			return;
		dlist_remove(&t->link);
		t->fire(t);
	}
}

void timeout_run(struct timeout_set *all, uint64_t now)
{
	timeout_run_list(&all->odd, now);
	/* a callback may add classes: count is read anew each time */
	for (unsigned i = 0; i < all->count; i++)
		timeout_run_list(&all->class[i].armed, now);
}
