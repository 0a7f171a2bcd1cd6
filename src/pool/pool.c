/*
 * pool.c - one worker's part of a pool: giving, taking, opening.
 *
 * The fast path (pool_take_idle, pool_put with nobody waiting) touches only this
 * worker's memory: one store and one load of atomics that others rarely read.
 */
#include "pool/pool.h"

#include "base/mem.h"
#include "pool/keeper.h"
#include "pool/lease.h"
#include "pool/retire.h"
#include "pool/solo.h"
#include "server/clean.h"

#define POOL_PING_TIMEOUT_US (UINT64_C(5) * 1000000)

struct pool *pool_get(struct home *home, const char *database, const char *user)
{
	return pool_of(home, hub_share(home->hub, database, user, false));
}

struct pool *pool_of(struct home *home, struct share *share)
{
	/* no lock: only this worker writes it */
	struct pool *pool = share->side[home->index].pool;

	if (pool != NULL)
		return pool;
	pool = mem_object_new(MEM_POOL, sizeof(*pool));
	if (pool == NULL)
		return NULL;
	pool->share = share;
	pool->home = home;
	pool->stats = share->side[home->index].past;
	dlist_init(&pool->idle);
	dlist_init(&pool->active);
	dlist_init(&pool->busy);
	dlist_init(&pool->opening);
	dlist_init(&pool->closing);
	if (keeper_configure(pool, false) < 0) {
		mem_object_free(MEM_POOL, pool, sizeof(*pool));
		return NULL;
	}
	dlist_push_back(&home->pools, &pool->link);
	lock_take(&share->lock);
	share->side[home->index].pool = pool;
	lock_drop(&share->lock);
	return pool;
}

bool pool_is_empty(const struct pool *pool)
{
	return pool->clients == 0 && pool->waiting == 0 && pool->idle_count == 0 && pool->active_count == 0 &&
	       pool->busy_count == 0 && pool->opening_count == 0 && pool->closing_count == 0;
}

void pool_free(struct pool *pool)
{
	lock_take(&pool->share->lock);
	pool->share->side[pool->home->index].pool = NULL;
	pool->share->side[pool->home->index].past = pool->stats;
	lock_drop(&pool->share->lock);
	dlist_remove(&pool->link);
	mem_object_free(MEM_POOL, pool, sizeof(*pool));
}

unsigned pool_cap(const struct pool *pool)
{
	/* pool_size 0 is PgBouncer's "no limit" */
	if (pool->limits.pool_size == 0)
		return 0;
	return (unsigned)(pool->limits.pool_size + pool->limits.max_overflow);
}

static unsigned *pool_counter(struct pool *pool, const struct dlist *list)
{
	if (list == &pool->idle)
		return &pool->idle_count;
	if (list == &pool->active)
		return &pool->active_count;
	if (list == &pool->busy)
		return &pool->busy_count;
	return list == &pool->opening ? &pool->opening_count : &pool->closing_count;
}

static struct dlist *pool_list_of(struct pool *pool, const struct server *s)
{
	switch (s->place) {
	case POOL_PLACE_IDLE:
		return &pool->idle;
	case POOL_PLACE_ACTIVE:
		return &pool->active;
	case POOL_PLACE_BUSY:
		return &pool->busy;
	case POOL_PLACE_OPENING:
		return &pool->opening;
	case POOL_PLACE_CLOSING:
		return &pool->closing;
	default:
		return NULL;
	}
}

static void pool_publish_idle(struct pool *pool)
{
	/* sequentially consistent: pairs with share->waiters, see share.h */
	atomic_store(&pool->share->side[pool->home->index].idle, pool->idle_count);
}

void pool_unlist(struct pool *pool, struct server *s)
{
	struct dlist *from = pool_list_of(pool, s);

	if (from == NULL)
		return;
	dlist_remove(&s->link);
	(*pool_counter(pool, from))--;
	s->place = POOL_PLACE_NONE;
	if (from == &pool->idle)
		pool_publish_idle(pool);
}

void pool_list(struct pool *pool, struct server *s, enum pool_place place)
{
	struct dlist *to;

	home_moved(pool->home);
	pool_unlist(pool, s);
	s->place = (uint8_t)place;
	to = pool_list_of(pool, s);
	dlist_push_front(to, &s->link);
	(*pool_counter(pool, to))++;
	if (to == &pool->idle)
		pool_publish_idle(pool);
}

bool pool_needs_ping(const struct pool *pool, const struct server *s)
{
	const struct conf_settings *set = &pool->home->conf->set;

	if (s->target->check_query == NULL)
		return false;
	/* not quiet: it has begun to say something, perhaps farewell */
	return s->is_odd || !server_is_quiet(s) || loop_now(s->loop) - s->idle_since >= set->pre_ping_idle;
}

struct server *pool_next_idle(const struct pool *pool)
{
	struct dlist *next = FX_UNLIKELY(pool->home->conf->set.server_round_robin) ? pool->idle.prev : pool->idle.next;

	return next != &pool->idle ? container_of(next, struct server, link) : NULL;
}

struct server *pool_take_idle(struct pool *pool)
{
	struct server *s = pool_next_idle(pool);

	if (s != NULL)
		pool_unlist(pool, s);
	return s;
}

void pool_give(struct pool *pool, struct lease *lease, struct server *s)
{
	if (pool_needs_ping(pool, s)) {
		pool_list(pool, s, POOL_PLACE_BUSY);
		s->promised = lease;
		lease_test(lease, s);
		pool->stats.pings++;
		clean_ping(s, POOL_PING_TIMEOUT_US);
		return;
	}
	pool_list(pool, s, POOL_PLACE_ACTIVE);
	lease_grant(lease, s);
}

void pool_serve(struct pool *pool)
{
	struct share *share = pool->share;

	while (pool->idle_count > 0 && atomic_load(&share->waiters) > 0 && !atomic_load(&share->is_paused)) {
		unsigned worker;
		uint64_t handle = 0;
		struct lease *lease;
		struct server *s;

		lock_take(&share->lock);
		lease = share_pick(share, pool->home->index, &worker);
		if (lease != NULL)
			handle = lease->handle;
		lock_drop(&share->lock);
		if (lease == NULL)
			return;
		s = pool_take_idle(pool);
		if (worker == pool->home->index) {
			pool_give(pool, lease, s);
		} else {
			/* lease is another worker's: only its handle may be used here */
			pool->stats.handovers++;
			server_detach(s);
			home_hand_over(share, worker, handle, s);
		}
	}
}

static bool pool_must_close(struct pool *pool, struct server *s, enum server_end *why)
{
	if (s->is_outdated)
		*why = SERVER_END_OUTDATED;
	else if (atomic_load_explicit(&pool->share->is_paused, memory_order_relaxed))
		*why = SERVER_END_PAUSED;
	else if (pool->limits.server_lifetime == 0 && s->was_used)
		*why = SERVER_END_ONE_USE;
	else if (FX_UNLIKELY(atomic_load_explicit(&pool->share->claims, memory_order_relaxed) > 0) && solo_claims(pool->share))
		*why = SERVER_END_EVICTED;
	else if (s->end != SERVER_END_NONE)
		*why = (enum server_end)s->end;
	else
		return false;
	return true;
}

void pool_put(struct pool *pool, struct server *s)
{
	enum server_end why;

	if (pool_must_close(pool, s, &why)) {
		server_close(s, why);
		return;
	}
	/* a busy pool's servers are never idle when the keeper looks: their age is looked at here as well */
	if (FX_UNLIKELY(s->was_used && retire_is_aged(s, loop_now(s->loop))) &&
	    (why = retire_check(pool, s, loop_now(s->loop))) != SERVER_END_NONE) {
		server_close(s, why);
		return;
	}
	pool_list(pool, s, POOL_PLACE_IDLE);
	if (FX_UNLIKELY(atomic_load(&pool->share->waiters) > 0))
		pool_serve(pool);
}

void pool_count_wait(struct pool *pool, uint64_t since)
{
	uint64_t waited = loop_now(pool->home->loop) - since;

	pool->stats.wait_time += waited;
	if (waited > pool->max_wait)
		pool->max_wait = waited;
}

void pool_refuse_waiters(struct pool *pool, const struct server_failure *why)
{
	struct share *share = pool->share;
	struct dlist *queue = &share->side[pool->home->index].queue;

	for (;;) {
		struct dlist *first;
		struct lease *lease = NULL;

		lock_take(&share->lock);
		first = dlist_first(queue);
		if (first != NULL) {
			lease = container_of(first, struct lease, link);
			share_unqueue(share, lease);
		}
		lock_drop(&share->lock);
		if (lease == NULL)
			return;
		lease_refuse(lease, why);
	}
}

void pool_close_servers(struct pool *pool, enum server_end why)
{
	struct server *s;

	DLIST_EACH(it, &pool->active)
		container_of(it, struct server, link)->is_outdated = true;
	DLIST_EACH(it, &pool->busy)
		container_of(it, struct server, link)->is_outdated = true;
	DLIST_EACH(it, &pool->opening)
		container_of(it, struct server, link)->is_outdated = true;
	while ((s = pool_take_idle(pool)) != NULL) {
		pool_list(pool, s, POOL_PLACE_BUSY);
		server_close(s, why);
	}
}
