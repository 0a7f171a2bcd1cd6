/*
 * timeout.c - deadlines in O(1): a first-in-first-out list per duration.
 *
 * Durations come from the configuration, so there are a handful of lists and
 * looking one up by walking is cheaper than hashing.
 */
#include "net/timeout.h"

#include "base/mem.h"

struct timeout_class {
	uint64_t duration;
	struct dlist armed;
};

void timeouts_init(struct timeouts *t)
{
	*t = (struct timeouts){.count = 0};
}

void timeouts_fini(struct timeouts *t)
{
	for (unsigned i = 0; i < t->count; i++)
		mem_free(t->class[i]);
	mem_free(t->class);
	timeouts_init(t);
}

void timeout_init(struct timeout *t, void (*fire)(struct timeout *))
{
	dlist_init(&t->link);
	t->due = 0;
	t->fire = fire;
}

static struct timeout_class *timeout_class_get(struct timeouts *all, uint64_t duration)
{
	struct timeout_class *class;

	for (unsigned i = 0; i < all->count; i++)
		if (all->class[i]->duration == duration)
			return all->class[i];
	if (all->count == all->cap) {
		all->cap = all->cap ? all->cap * 2 : 8;
		all->class = mem_realloc(all->class, all->cap * sizeof(struct timeout_class *));
	}
	class = mem_alloc(sizeof(*class));
	class->duration = duration;
	dlist_init(&class->armed);
	all->class[all->count++] = class;
	return class;
}

void timeout_arm(struct timeouts *all, struct timeout *t, uint64_t now, uint64_t duration)
{
	timeout_disarm(t);
	if (duration == 0)
		return;
	t->due = now + duration;
	dlist_push_back(&timeout_class_get(all, duration)->armed, &t->link);
}

uint64_t timeout_next_due(struct timeouts *all)
{
	uint64_t due = 0;

	for (unsigned i = 0; i < all->count; i++) {
		struct dlist *first = dlist_first(&all->class[i]->armed);

		if (first != NULL) {
			uint64_t t = container_of(first, struct timeout, link)->due;

			if (due == 0 || t < due)
				due = t;
		}
	}
	return due;
}

void timeout_run(struct timeouts *all, uint64_t now)
{
	/* a callback may add classes: count is read anew each time */
	for (unsigned i = 0; i < all->count; i++) {
		for (;;) {
			struct dlist *first = dlist_first(&all->class[i]->armed);
			struct timeout *t;

			if (first == NULL)
				break;
			t = container_of(first, struct timeout, link);
			if (t->due > now)
				break;
			dlist_remove(&t->link);
			t->fire(t);
		}
	}
}
