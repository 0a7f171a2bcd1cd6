/*
 * orders.c - what the console tells one worker to do.
 */
#include "session/orders.h"

#include "auth/usercache.h"
#include "pool/opener.h"
#include "session/cancelreq.h"
#include "session/worker.h"

#include <string.h>

static bool orders_concern(const struct pool *pool, const char *database)
{
	return database == NULL || strcmp(pool->share->database, database) == 0;
}

static struct pool *orders_pool(struct dlist *it)
{
	return container_of(it, struct pool, link);
}

static void orders_close_list(struct pool *pool, struct dlist *list, enum server_end why)
{
	DLIST_EACH(it, list)
	{
		struct server *s = container_of(it, struct server, link);

		pool_list(pool, s, POOL_PLACE_BUSY);
		server_close(s, why);
	}
}

void orders_pause(struct worker *w, const char *database)
{
	DLIST_EACH(it, &w->home.pools)
	if (orders_concern(orders_pool(it), database))
		orders_close_list(orders_pool(it), &orders_pool(it)->idle, SERVER_END_PAUSED);
}

void orders_resume(struct worker *w, const char *database)
{
	DLIST_EACH(it, &w->home.pools)
	{
		struct pool *pool = orders_pool(it);

		if (!orders_concern(pool, database))
			continue;
		pool_serve(pool);
		opener_launch(pool);
	}
}

static void orders_outdate(struct dlist *list, uint64_t before)
{
	DLIST_EACH(it, list)
	{
		struct server *s = container_of(it, struct server, link);

		if (s->connected_at < before)
			s->is_outdated = true;
	}
}

void orders_reconnect(struct worker *w, const char *database, uint64_t before)
{
	usercache_forget(w->home.hub->users_found);
	DLIST_EACH(it, &w->home.pools)
	{
		struct pool *pool = orders_pool(it);

		if (!orders_concern(pool, database))
			continue;
		orders_outdate(&pool->active, before);
		orders_outdate(&pool->busy, before);
		orders_outdate(&pool->opening, before);
		DLIST_EACH(at, &pool->idle)
		{
			struct server *s = container_of(at, struct server, link);

			if (s->connected_at < before) {
				pool_list(pool, s, POOL_PLACE_BUSY);
				server_close(s, SERVER_END_OUTDATED);
			}
		}
	}
}

void orders_kill(struct worker *w, const char *database)
{
	/* the shares are paused: a server that comes back is closed, so no other client's callback runs in here */
	DLIST_EACH(it, &w->clients)
	{
		struct client *c = container_of(it, struct client, link);

		if (c->pool != NULL && orders_concern(c->pool, database))
			client_fail(c, CLIENT_END_ADMIN, NULL);
	}
	DLIST_EACH(it, &w->home.pools)
	{
		struct pool *pool = orders_pool(it);

		if (!orders_concern(pool, database))
			continue;
		orders_close_list(pool, &pool->idle, SERVER_END_ADMIN);
		DLIST_EACH(at, &pool->busy)
		server_close(container_of(at, struct server, link), SERVER_END_ADMIN);
	}
}

static unsigned orders_count_outdated(const struct dlist *list)
{
	unsigned n = 0;

	for (const struct dlist *it = list->next; it != list; it = it->next)
		n += container_of(it, struct server, link)->is_outdated;
	return n;
}

unsigned orders_outdated(struct worker *w, const char *database)
{
	unsigned n = 0;

	DLIST_EACH(it, &w->home.pools)
	{
		const struct pool *pool = orders_pool(it);

		if (orders_concern(pool, database))
			n += orders_count_outdated(&pool->active) + orders_count_outdated(&pool->busy) +
			     orders_count_outdated(&pool->opening);
	}
	return n;
}

static struct client *orders_client(struct worker *w, uint64_t id)
{
	struct client *c = id != 0 ? worker_find_client_id(w, id) : NULL;

	return c != NULL && c->state != CLIENT_CLOSING && c->state != CLIENT_GONE ? c : NULL;
}

bool orders_kill_client(struct worker *w, uint64_t id)
{
	struct client *c = orders_client(w, id);

	if (c == NULL)
		return false;
	client_fail(c, CLIENT_END_ADMIN, NULL);
	return true;
}

static enum orders_found orders_what(const struct client *c, uint64_t *token)
{
	*token = 0;
	if (c == NULL)
		return ORDERS_NOBODY;
	if (c->state != CLIENT_RUNNING && c->state != CLIENT_WAITING)
		return ORDERS_IDLE;
	*token = c->request_since;
	return ORDERS_FOUND;
}

/* of a server; NULL: nobody rides it */
static struct client *orders_rider(const struct server *s)
{
	return s != NULL && s->rider_ops != NULL ? s->rider : NULL;
}

enum orders_found orders_find_client(struct worker *w, uint64_t id, uint64_t *token)
{
	return orders_what(orders_client(w, id), token);
}

enum orders_found orders_find_server(struct worker *w, uint64_t id, uint32_t pid, uint64_t *token)
{
	const struct server *s = worker_find_server(w, id, pid);
	const struct client *c = orders_rider(s);

	*token = 0;
	if (c != NULL)
		return orders_what(c, token);
	return s != NULL ? ORDERS_IDLE : ORDERS_NOBODY;
}

static bool orders_cancel(struct client *c, uint64_t token)
{
	bool waits;
	uint64_t now;

	if (orders_what(c, &now) != ORDERS_FOUND || now != token)
		return false;
	/* one that waits has nothing that runs: it is answered at once */
	waits = c->state == CLIENT_WAITING;
	return cancelreq_cancel(c, NULL, NULL) || waits;
}

bool orders_cancel_client(struct worker *w, uint64_t id, uint64_t token)
{
	return orders_cancel(orders_client(w, id), token);
}

bool orders_cancel_server(struct worker *w, uint64_t id, uint32_t pid, uint64_t token)
{
	return orders_cancel(orders_rider(worker_find_server(w, id, pid)), token);
}

bool orders_kill_server(struct worker *w, uint64_t id, uint32_t pid)
{
	struct server *s = worker_find_server(w, id, pid);

	/* one that is still connecting serves nobody, and its end would look like a failure of PostgreSQL */
	if (s == NULL || s->place == POOL_PLACE_OPENING)
		return false;
	if (s->place == POOL_PLACE_IDLE)
		pool_list(s->owner, s, POOL_PLACE_BUSY);
	server_close(s, SERVER_END_ADMIN);
	return true;
}
