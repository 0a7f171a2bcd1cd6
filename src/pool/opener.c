/*
 * opener.c - opening servers, and what becomes of them: the owner's half of server.h.
 *
 * Called by pool and by the servers' callbacks on the worker.  Every server is
 * counted in the hub from before its socket exists until PostgreSQL has let go.
 */
#include "pool/opener.h"

#include "base/log.h"
#include "pool/keeper.h"
#include "pool/lease.h"
#include "pool/retire.h"
#include "server/dial.h"

#include <string.h>

#define OPENER_RETRY_SOON_US (UINT64_C(200) * 1000) /* the server says that it is starting up */

static struct pool *opener_pool(struct server *s)
{
	return s->owner;
}

static void opener_on_ready(struct server *s)
{
	struct pool *pool = opener_pool(s);
	uint64_t lifetime = pool->limits.server_lifetime;

	share_ready(pool->share, &s->params);
	/* a pool that was opened at once must not expire at once */
	s->lifetime = lifetime > 10 ? lifetime - rnd_below(&pool->home->rnd, lifetime / 10) : lifetime;
	pool->stats.servers_opened++;
	keeper_adopt(pool, s);
	pool_put(pool, s);
}

/* With share->lock held: when to try again, and are there hosts of the list that have not failed just now? */
static bool opener_next_host(struct share *share, const struct server *s, uint64_t retry)
{
	bool has_next = ++share->failed_hosts < s->target->hosts;

	if (share->target != NULL && share->target->hosts == s->target->hosts)
		target_host_failed(share->target, (unsigned)(s->host - s->target->host));
	if (!has_next)
		share->failed_hosts = 0;
	share->retry_at = loop_now(s->loop) + (has_next ? 0 : retry);
	return has_next;
}

static void opener_on_failed(struct server *s, const struct server_failure *why)
{
	struct pool *pool = opener_pool(s);
	struct share *share = pool->share;
	bool is_soon = strcmp(why->sqlstate, "57P03") == 0, has_next;
	uint64_t retry = pool->home->conf->set.server_login_retry;
	bool hopeless;

	if (why->end == SERVER_END_CONNECT_FAILED || why->end == SERVER_END_CONNECT_TIMEOUT ||
	    why->end == SERVER_END_LOOKUP_FAILED)
		pool->stats.connect_failures++;
	else
		pool->stats.login_failures++;
	server_log(s, LOG_WARNING, "closing because: %s", why->message);
	lock_take(&share->lock);
	share->connecting--;
	share->is_failing = true;
	share->failure = *why;
	has_next = opener_next_host(share, s, is_soon && retry > OPENER_RETRY_SOON_US ? OPENER_RETRY_SOON_US : retry);
	/* what has failed will fail for all who wait, unless other servers are there or this one asks for patience */
	hopeless = !is_soon && !has_next && share->ready == 0 && share->connecting == 0;
	lock_drop(&share->lock);
	pool_list(pool, s, POOL_PLACE_CLOSING);
	if (hopeless)
		home_refuse_waiters(share, why);
}

static void opener_on_rested(struct server *s)
{
	struct pool *pool = opener_pool(s);
	struct lease *lease = s->promised;

	s->promised = NULL;
	if (lease == NULL) {
		pool_put(pool, s);
		return;
	}
	pool_list(pool, s, POOL_PLACE_ACTIVE);
	lease_grant(lease, s);
}

static void opener_on_ending(struct server *s, enum server_end why)
{
	struct pool *pool = opener_pool(s);
	struct lease *lease = s->promised;

	server_log(s, LOG_LOG, "closing because: %s (age=%us)", server_end_text(why),
		  (unsigned)((loop_now(s->loop) - s->connected_at) / 1000000));
	lock_take(&pool->share->lock);
	retire_account(pool->share, s);
	lock_drop(&pool->share->lock);
	pool_list(pool, s, POOL_PLACE_CLOSING);
	pool->stats.servers_closed++;
	s->promised = NULL;
	if (lease == NULL)
		return;
	/* the ping failed: the client never notices, it keeps its place in the queue */
	pool->stats.ping_failures++;
	lease_requeue(lease);
	pool_serve(pool);
	opener_launch(pool);
}

void opener_gone(struct server *s)
{
	struct pool *pool = opener_pool(s);

	pool_unlist(pool, s);
	hub_give_server(pool->home->hub, pool->share);
	server_free(s);
	retire_refill(pool);
	if (atomic_load(&pool->share->waiters) > 0)
		home_wake_waiters(pool->share);
}

static const struct server_owner_ops opener_ops = {
	.on_ready = opener_on_ready,
	.on_failed = opener_on_failed,
	.on_rested = opener_on_rested,
	.on_ending = opener_on_ending,
	.on_gone = opener_gone,
};

/* the hub has counted it already, and share->connecting too */
static void opener_start(struct pool *pool)
{
	struct share *share = pool->share;
	struct server *s = NULL;
	struct target *target;

	lock_take(&share->lock);
	target = share->target != NULL ? target_ref(share->target) : NULL;
	lock_drop(&share->lock);
	if (target != NULL)
		s = server_new(pool->home->loop, target, &pool->home->scram_cache, &opener_ops, pool);
	target_unref(target);
	if (s == NULL) {
		lock_take(&share->lock);
		share->connecting--;
		lock_drop(&share->lock);
		hub_give_server(pool->home->hub, share);
		return;
	}
	s->id = hub_next_id(pool->home->hub);
	keeper_prepare(pool, s);
	pool_list(pool, s, POOL_PLACE_OPENING);
	dial_start(s, pool->home->hub->resolver, pool->home->hub->errands);
}

static void opener_make_room(struct pool *pool, enum hub_answer why)
{
	struct share *victim;
	unsigned worker;

	if (why != HUB_DATABASE_FULL && why != HUB_USER_FULL)
		return;
	if (hub_find_victim(pool->home->hub, pool->share, why, &victim, &worker))
		home_evict(victim, worker);
}

static unsigned opener_cap_now(struct pool *pool, uint64_t oldest)
{
	const struct conf_limits *l = &pool->limits;
	unsigned cap = pool_cap(pool);

	if (cap > 0 && l->reserve_pool_size > 0 && l->reserve_pool_timeout > 0 && oldest > 0 &&
	    loop_now(pool->home->loop) - oldest >= l->reserve_pool_timeout)
		cap += (unsigned)l->reserve_pool_size;
	return cap;
}

static bool opener_is_held_back(const struct share *share, uint64_t now)
{
	/* the next place is promised to somebody who needs a server of his own */
	return atomic_load(&share->is_paused) || atomic_load(&share->hub->is_draining) || now < share->retry_at ||
	       atomic_load(&share->solos_waiting) > 0;
}

static bool opener_try(struct pool *pool, unsigned cap, enum hub_answer *why)
{
	struct share *share = pool->share;
	enum hub_answer answer;

	*why = HUB_OK;
	lock_take(&share->lock);
	if (opener_is_held_back(share, loop_now(pool->home->loop))) {
		lock_drop(&share->lock);
		return false;
	}
	answer = hub_take_server(pool->home->hub, share, cap, &pool->limits);
	if (answer == HUB_OK)
		share->connecting++;
	lock_drop(&share->lock);
	*why = answer;
	if (answer != HUB_OK)
		return false;
	opener_start(pool);
	return true;
}

bool opener_open(struct pool *pool, unsigned cap)
{
	enum hub_answer why;

	if (opener_try(pool, cap, &why))
		return true;
	opener_make_room(pool, why);
	return false;
}

bool opener_open_spare(struct pool *pool, unsigned cap)
{
	enum hub_answer why;

	return opener_try(pool, cap, &why);
}

/* servers that idle on other workers go to those who wait: whoever adds a waiter comes here afterwards (share.h) */
static void opener_poke_others(struct pool *pool)
{
	struct share *share = pool->share;

	if (atomic_load(&share->is_paused))
		return;
	for (unsigned i = 0; i < share->hub->workers; i++)
		if (i != pool->home->index && atomic_load(&share->side[i].idle) > 0)
			home_poke(share, i);
}

void opener_launch(struct pool *pool)
{
	struct share *share = pool->share;

	if (atomic_load(&share->waiters) > 0)
		opener_poke_others(pool);
	while (atomic_load(&share->waiters) > 0) {
		unsigned waiters, coming, cap;
		uint64_t oldest;

		lock_take(&share->lock);
		waiters = atomic_load(&share->waiters);
		coming = share->connecting + share_idle_total(share);
		oldest = share_oldest(share);
		lock_drop(&share->lock);
		if (waiters <= coming)
			return;
		cap = opener_cap_now(pool, oldest);
		if (!opener_open(pool, cap))
			return;
		if (cap > pool_cap(pool))
			log_write(LOG_WARNING, NULL, "%s/%s: taking connection from reserve_pool", share->database, share->user);
	}
}
