/*
 * keeper.c - housekeeping of one worker's pools, three times a second.
 *
 * O(pools + servers of this worker); never on the path of a query.
 */
#include "pool/keeper.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "pool/opener.h"
#include "pool/plan.h"
#include "pool/retire.h"

#include <string.h>

#define KEEPER_TICK_US (UINT64_C(333) * 1000)
#define KEEPER_PROBE_FOR_US (UINT64_C(600) * 1000000) /* a pool that nobody has asked for so long is not probed */

int keeper_configure(struct pool *pool, bool replace)
{
	const struct conf *conf = pool->home->conf;
	const struct conf_database *db = conf_find_database(conf, pool->share->database);
	struct share *share = pool->share;
	struct target *plan, *old = NULL;

	if (db == NULL)
		return -1;
	conf_resolve(conf, db, share->user, &pool->limits);
	plan = plan_target(conf, db, share->database, share->user);
	lock_take(&share->lock);
	if (share->target == NULL || (replace && !plan_is_same(share->target, plan))) {
		old = share->target;
		share->target = plan;
		plan = NULL;
		/* what failed before says nothing about the new one */
		share->is_failing = false;
		share->retry_at = 0;
	}
	lock_drop(&share->lock);
	target_unref(old);
	target_unref(plan);
	return 0;
}

static void keeper_check_list(struct dlist *list, struct target *target)
{
	DLIST_EACH(it, list) {
		struct server *s = container_of(it, struct server, link);

		if (!plan_is_same(s->target, target))
			s->is_outdated = true;
	}
}

void keeper_check_targets(struct pool *pool)
{
	struct target *target;

	lock_take(&pool->share->lock);
	target = target_ref(pool->share->target);
	lock_drop(&pool->share->lock);
	keeper_check_list(&pool->active, target);
	keeper_check_list(&pool->busy, target);
	keeper_check_list(&pool->opening, target);
	DLIST_EACH(it, &pool->idle) {
		struct server *s = container_of(it, struct server, link);

		if (!plan_is_same(s->target, target)) {
			pool_list(pool, s, POOL_PLACE_BUSY);
			server_close(s, SERVER_END_OUTDATED);
		}
	}
	target_unref(target);
}

void keeper_learn_keys(struct pool *pool, const struct credential_keys *keys)
{
	struct share *share = pool->share;
	const struct conf_database *db = conf_find_database(pool->home->conf, share->database);
	struct target *plan, *old = NULL;
	bool known;

	lock_take(&share->lock);
	known = share->target != NULL && share->target->keys.is_set &&
		secret_is_equal(share->target->keys.client_key, CREDENTIAL_KEY_LEN, keys->client_key,
				CREDENTIAL_KEY_LEN);
	lock_drop(&share->lock);
	if (known || db == NULL)
		return;
	plan = plan_target(pool->home->conf, db, share->database, share->user);
	plan->keys = *keys;
	lock_take(&share->lock);
	old = share->target;
	share->target = plan;
	/* a failure without these keys says nothing about the next attempt */
	if (share->is_failing && share->failure.end == SERVER_END_LOGIN_FAILED)
		share->retry_at = 0;
	lock_drop(&share->lock);
	target_unref(old);
}

void keeper_prepare(struct pool *pool, struct server *s)
{
	size_t size = (size_t)pool->home->conf->set.query_text_size;

	s->connected_at = loop_now(pool->home->loop);
	s->connected_wall = clock_wall_us();
	s->lifetime = pool->limits.server_lifetime;
	if (size > 0) {
		s->text = mem_try_alloc(size);
		s->text_size = s->text != NULL ? (uint32_t)size : 0;
	}
}

static void keeper_close_idle(struct pool *pool, struct server *s, enum server_end why)
{
	pool_list(pool, s, POOL_PLACE_BUSY);
	server_close(s, why);
}

void keeper_evict(struct pool *pool)
{
	struct dlist *oldest = dlist_last(&pool->idle);

	if (oldest != NULL && atomic_load(&pool->share->waiters) == 0)
		keeper_close_idle(pool, container_of(oldest, struct server, link), SERVER_END_EVICTED);
}

static void keeper_check_idle(struct pool *pool, struct server *s, uint64_t now)
{
	enum server_end why = retire_check(pool, s, now);

	if (why != SERVER_END_NONE)
		keeper_close_idle(pool, s, why);
}

static bool keeper_should_probe(struct share *share, uint64_t now)
{
	bool probe;

	lock_take(&share->lock);
	probe = share->is_failing && share->ready == 0 && share->connecting == 0 && now >= share->retry_at &&
		now - share->last_asked < KEEPER_PROBE_FOR_US;
	lock_drop(&share->lock);
	return probe;
}

static void keeper_fill(struct pool *pool, uint64_t now)
{
	struct share *share = pool->share;
	unsigned servers = share_servers(pool->share);
	bool is_first = true;

	/* one worker is enough: the lowest that has a part in it */
	for (unsigned i = 0; i < pool->home->index && is_first; i++) {
		lock_take(&share->lock);
		is_first = share->side[i].pool == NULL;
		lock_drop(&share->lock);
	}
	if (!is_first)
		return;
	if (pool->limits.min_pool_size > 0 && servers < (uint64_t)pool->limits.min_pool_size &&
	    !atomic_load(&share->is_paused))
		(void)opener_open(pool, pool_cap(pool));
	else if (keeper_should_probe(share, now))
		(void)opener_open(pool, pool_cap(pool));
}

static void keeper_tend(struct pool *pool)
{
	uint64_t now = loop_now(pool->home->loop);

	DLIST_EACH(it, &pool->idle)
		keeper_check_idle(pool, container_of(it, struct server, link), now);
	keeper_fill(pool, now);
	if (atomic_load(&pool->share->waiters) > 0) {
		pool_serve(pool);
		opener_launch(pool);
	}
}

static void keeper_on_tick(struct timeout *t)
{
	struct home *home = container_of(t, struct home, janitor);

	DLIST_EACH(it, &home->pools)
		keeper_tend(container_of(it, struct pool, link));
	loop_arm(home->loop, &home->janitor, KEEPER_TICK_US);
}

void keeper_start(struct home *home)
{
	timeout_init(&home->janitor, keeper_on_tick);
	loop_arm(home->loop, &home->janitor, KEEPER_TICK_US);
}
