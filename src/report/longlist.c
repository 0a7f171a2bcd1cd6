/*
 * longlist.c - the long queries of one moment.
 */
#include "report/longlist.h"

#include "base/mem.h"
#include "session/watch.h"

void longlist_init(struct longlist *l)
{
	*l = (struct longlist){.item = NULL};
}

void longlist_fini(struct longlist *l)
{
	for (size_t i = 0; i < l->count; i++)
		target_unref(l->item[i].target);
	mem_free(l->item);
	longlist_init(l);
}

static void longlist_add(struct longlist *l, const struct pool *pool, const struct server *s, uint64_t since, bool is_long)
{
	struct longlist_item *item;

	if (l->count == l->cap) {
		l->cap = l->cap > 0 ? l->cap * 2 : 8;
		l->item = mem_realloc(l->item, l->cap * sizeof(*l->item));
	}
	item = &l->item[l->count++];
	*item = (struct longlist_item){
		.pid = s->pid, .since = since, .is_long = is_long, .share = pool->share, .host = s->host};
	item->target = target_ref(s->target);
	machine_of(s, &item->machine);
	client_context(s->rider, item->who, sizeof(item->who));
}

static void longlist_look(struct longlist *l, const struct pool *pool, const struct server *s, uint64_t now,
			  uint64_t threshold)
{
	uint64_t query = 0, xact = 0, own;
	const struct client *c = s->rider;
	bool is_long;

	if (watch_look(s, &query, &xact) == WATCH_NONE || now < query)
		return;
	own = c->limits->long_query_time;
	is_long = own > 0 && now - query >= own;
	if (is_long || now - query >= threshold)
		longlist_add(l, pool, s, query, is_long);
}

void longlist_take(struct worker *w, uint64_t threshold, struct longlist *l)
{
	uint64_t now = loop_now(&w->loop);

	DLIST_EACH(it, &w->home.pools) {
		const struct pool *pool = container_of(it, struct pool, link);

		for (const struct dlist *at = pool->active.next; at != &pool->active; at = at->next) {
			if (l->count == LONGLIST_MAX)
				return;
			longlist_look(l, pool, container_of(at, struct server, link), now, threshold);
		}
	}
}
