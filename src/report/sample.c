/*
 * sample.c - what all pools are doing, part by part and as a whole.
 */
#include "report/sample.h"

#include "base/mem.h"
#include "base/str.h"
#include "server/cancel.h"
#include "session/watch.h"

#include <stdlib.h>
#include <string.h>

void sample_init(struct sample *s)
{
	*s = (struct sample){.pool = NULL};
}

void sample_fini(struct sample *s)
{
	mem_free(s->pool);
	sample_init(s);
}

static struct sample_pool *sample_add(struct sample *s)
{
	if (s->count == s->cap) {
		s->cap = s->cap > 0 ? s->cap * 2 : 16;
		s->pool = mem_realloc(s->pool, s->cap * sizeof(*s->pool));
	}
	memset(&s->pool[s->count], 0, sizeof(s->pool[0]));
	return &s->pool[s->count++];
}

static void sample_active(struct sample_pool *p, const struct pool *pool, uint64_t now)
{
	for (const struct dlist *it = pool->active.next; it != &pool->active; it = it->next) {
		const struct server *s = container_of(it, struct server, link);
		const struct client *c = s->rider;
		uint64_t query = 0, xact = 0;

		p->active++;
		cancel_tally(s, &p->cancels, &p->cancels_waiting);
		p->outdated += s->is_outdated;
		if (watch_look(s, &query, &xact) != WATCH_NONE && c->limits->long_query_time > 0 &&
			now - query >= c->limits->long_query_time)
			p->long_queries++;
	}
}

static void sample_busy(struct sample_pool *p, const struct pool *pool)
{
	for (const struct dlist *it = pool->busy.next; it != &pool->busy; it = it->next) {
		const struct server *s = container_of(it, struct server, link);

		cancel_tally(s, &p->cancels, &p->cancels_waiting);
		p->outdated += s->is_outdated;
		if (!dlist_is_empty(&s->cancels))
			p->being_canceled++;
		else
			p->tested++;
	}
}

static void sample_take(struct sample_pool *p, struct pool *pool, uint64_t now, bool reset)
{
	p->share = pool->share;
	p->parts = UINT64_C(1) << pool->home->index;
	p->clients = pool->clients;
	p->waiting = pool->waiting;
	p->idle = pool->idle_count;
	p->opening = pool->opening_count;
	p->closing = pool->closing_count;
	p->max_wait = pool->max_wait;
	p->limits = pool->limits;
	p->stats = pool->stats;
	sample_active(p, pool, now);
	sample_busy(p, pool);
	if (reset)
		pool->max_wait = 0;
}

void sample_worker(struct worker *w, struct sample *out, bool reset)
{
	DLIST_EACH(it, &w->home.pools)
	sample_take(sample_add(out), container_of(it, struct pool, link), loop_now(&w->loop), reset);
	out->console_clients += w->console_clients;
}

static int sample_compare(const void *a, const void *b)
{
	const struct share *x = ((const struct sample_pool *)a)->share,
			   *y = ((const struct sample_pool *)b)->share;
	int order = strcmp(x->database, y->database);

	if (order == 0)
		order = strcmp(x->user, y->user);
	return order != 0 ? order : x->is_ours - y->is_ours;
}

bool sample_is_twin(const struct sample_pool *a, const struct sample_pool *b)
{
	return strcmp(a->share->database, b->share->database) == 0 && strcmp(a->share->user, b->share->user) == 0;
}

void sample_fold(struct sample_pool *to, const struct sample_pool *from)
{
	to->parts |= from->parts;
	to->clients += from->clients;
	to->waiting += from->waiting;
	to->active += from->active;
	to->idle += from->idle;
	to->tested += from->tested;
	to->being_canceled += from->being_canceled;
	to->opening += from->opening;
	to->closing += from->closing;
	to->cancels += from->cancels;
	to->cancels_waiting += from->cancels_waiting;
	to->long_queries += from->long_queries;
	to->outdated += from->outdated;
	if (from->max_wait > to->max_wait)
		to->max_wait = from->max_wait;
	stats_add(&to->stats, &from->stats);
}

static void sample_ask_share(struct sample_pool *p, uint64_t now)
{
	struct share *share = p->share;
	uint64_t oldest;

	p->servers = share_servers(share);
	p->is_paused = atomic_load(&share->is_paused);
	p->is_disabled = atomic_load(&share->is_disabled);
	lock_take(&share->lock);
	/* counts do not go down when a worker has given up its part */
	for (unsigned i = 0; i < share->hub->workers; i++)
		if ((p->parts & UINT64_C(1) << i) == 0)
			stats_add(&p->stats, &share->side[i].past);
	oldest = share_oldest(share);
	p->connecting = share->connecting;
	p->ready = share->ready;
	p->is_failing = share->is_failing;
	if (share->is_failing)
		(void)str_copy(p->failure, sizeof(p->failure), share->failure.message);
	lock_drop(&share->lock);
	p->oldest_wait = oldest > 0 && now > oldest ? now - oldest : 0;
}

void sample_join(struct sample *to, struct sample *parts, unsigned n, uint64_t now)
{
	size_t kept = 0;

	for (unsigned i = 0; i < n; i++) {
		for (size_t k = 0; k < parts[i].count; k++)
			*sample_add(to) = parts[i].pool[k];
		to->console_clients += parts[i].console_clients;
	}
	if (to->count > 1)
		qsort(to->pool, to->count, sizeof(to->pool[0]), sample_compare);
	for (size_t i = 0; i < to->count; i++) {
		if (kept > 0 && to->pool[kept - 1].share == to->pool[i].share)
			sample_fold(&to->pool[kept - 1], &to->pool[i]);
		else
			to->pool[kept++] = to->pool[i];
	}
	to->count = kept;
	for (size_t i = 0; i < kept; i++)
		sample_ask_share(&to->pool[i], now);
}
