/*
 * lookhelp.c - the helper threads that wait for servers.
 *
 * They touch the lookup's own state under its lock, and a request that they have taken.
 */
#include "net/lookup_impl.h"

#include "base/clock.h"
#include "base/mem.h"

#include <stdio.h>
#include <time.h>

struct timespec lookhelp_timespec(uint64_t us)
{
	return (struct timespec){.tv_sec = (time_t)(us / 1000000), .tv_nsec = (long)(us % 1000000) * 1000};
}

/* Without the lock.  Gives the link as it is afterwards. */
static struct pqlink *lookhelp_answer(struct lookup *l, const struct pqlink_where *where, struct pqlink *link,
				 struct lookup_request *q, unsigned *opened)
{
	const struct pqlink_limit limit = {.until = q->until, .stop_fd = l->stop_fd};
	enum pqlink_result result;
	bool was_kept = link != NULL;

	for (;;) {
		if (link == NULL && (link = l->driver.open(where, &limit, q->error, sizeof(q->error))) == NULL)
			return NULL;
		*opened += !was_kept;
		pqlink_rows_fini(&q->rows);
		result = l->driver.ask(link, q->sql, (const char *const *)q->param, q->params, &limit, &q->rows, q->error,
				       sizeof(q->error));
		q->is_answered = result == PQLINK_OK;
		if (result != PQLINK_LOST)
			return link;
		l->driver.close(link);
		link = NULL;
		/* the server may have ended the kept one meanwhile: once more on a new one */
		if (!was_kept || clock_mono_us() >= q->until)
			return NULL;
		was_kept = false;
	}
}

/* under the lock, dropped while the server is asked */
static void lookhelp_work(struct lookup *l, struct lookup_place *place)
{
	struct lookup_request *q = container_of(dlist_pop_front(&place->waiting), struct lookup_request, link);
	struct pqlink_where where = place->where;
	struct secret password = {.data = NULL};
	struct pqlink *link = place->link;
	bool is_stale = place->is_stale;
	unsigned opened = 0;

	if (place->password.data != NULL)
		secret_set(&password, place->password.data, place->password.len);
	where.password = (const char *)password.data;
	place->current = q;
	place->is_busy = true;
	place->is_stale = false;
	l->asked++;
	l->open -= link != NULL;
	lock_drop(&l->lock);
	if (link != NULL && (is_stale || l->driver.is_lost(link))) {
		l->driver.close(link);
		link = NULL;
	}
	if (clock_mono_us() >= q->until)
		snprintf(q->error, sizeof(q->error), "no answer in time");
	else
		link = lookhelp_answer(l, &where, link, q, &opened);
	secret_drop(&password);
	lock_take(&l->lock);
	l->open += link != NULL;
	l->opened += opened;
	l->waiting--;
	place->link = link;
	place->current = NULL;
	place->is_busy = false;
	place->idle_since = clock_mono_us();
	if (l->is_closing) {
		lookup_request_free(q);
		return;
	}
	loop_post(q->loop, &q->mail, lookup_deliver);
	if (!dlist_is_empty(&place->waiting))
		dlist_push_back(&l->ready, &place->ready);
	else if (link == NULL)
		lookplace_free(l, place);
}

/* Under the lock, dropped while a connection says goodbye.  When the next one is due; 0: never. */
static uint64_t lookhelp_close_idle(struct lookup *l)
{
	uint64_t now = clock_mono_us(), next = 0;
	struct lookup_place *found = NULL;
	struct hash_iter it = {.slot = 0};
	struct hash_node *node;
	struct pqlink *link;

	while (found == NULL && (node = hash_map_next(&l->places, &it)) != NULL) {
		struct lookup_place *place = node->value;

		if (place->is_busy || place->link == NULL || !dlist_is_empty(&place->waiting))
			continue;
		if (now >= place->idle_since + l->idle_us)
			found = place;
		else if (next == 0 || place->idle_since + l->idle_us < next)
			next = place->idle_since + l->idle_us;
	}
	if (found == NULL)
		return next;
	link = found->link;
	l->open--;
	lookplace_free(l, found);
	lock_drop(&l->lock);
	l->driver.close(link);
	lock_take(&l->lock);
	return now;
}

void lookhelp_run(void *lookup)
{
	struct lookup *l = lookup;

	while (!l->is_closing) {
		struct dlist *ready = dlist_pop_front(&l->ready);
		struct timespec at;
		uint64_t due;

		if (ready != NULL) {
			lookhelp_work(l, container_of(ready, struct lookup_place, ready));
			continue;
		}
		due = lookhelp_close_idle(l);
		if (l->is_closing || !dlist_is_empty(&l->ready))
			continue;
		at = lookhelp_timespec(due);
		l->idle++;
		if (due > 0)
			(void)pthread_cond_timedwait(&l->helpers.changed, &l->lock.mutex, &at);
		else
			pthread_cond_wait(&l->helpers.changed, &l->lock.mutex);
		l->idle--;
	}
}

void lookhelp_start(struct lookup *l)
{
	if (l->idle == 0 && l->helpers.count < LOOKUP_THREADS)
		helper_start(&l->helpers);
}
