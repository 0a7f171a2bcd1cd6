/*
 * keeper.c - housekeeping of one worker's pools, three times a second, or once when the worker rests.
 *
 * O(pools + servers of this worker); never on the path of a query.
 */
#include "pool/keeper.h"

#include "auth/usercache.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "pool/askpool.h"
#include "pool/opener.h"
#include "pool/plan.h"
#include "pool/retire.h"
#include "pool/solo.h"

#include <string.h>

#define KEEPER_TICK_US (UINT64_C(333) * 1000)
#define KEEPER_REST_US (UINT64_C(1) * 1000000)
#define KEEPER_REST_AFTER 4 /* quiet ticks */
#define KEEPER_PROBE_FOR_US (UINT64_C(600) * 1000000) /* a pool that nobody has asked for so long is not probed */

static struct target *keeper_plan(const struct pool *pool, const struct conf_database *db)
{
	const struct conf *conf = pool->home->conf;
	const struct share *share = pool->share;

	return share->is_ours ? askpool_target(conf, db, share->database, share->user)
			      : plan_target(conf, db, share->database, share->user);
}

/* with share->lock held: the plan takes the place of the target, whose reference goes to *old (NULL: there was none).
 * true: for the same place */
static bool keeper_replace(struct share *share, struct target *plan, struct target **old)
{
	bool is_same = share->target != NULL && plan_is_same(share->target, plan);

	if (is_same)
		target_inherit(plan, share->target);
	*old = share->target;
	share->target = plan;
	return is_same;
}

/* with share->lock held: what the configuration says about the secret comes first */
static void keeper_add_found(const struct share *share, struct target *plan)
{
	if (share->found != NULL && plan->credential.kind == CREDENTIAL_NONE) {
		credential_fini(&plan->credential);
		credential_copy(&plan->credential, share->found);
		plan->secret_from = "what clients have logged in with";
	}
}

int keeper_configure(struct pool *pool, bool replace)
{
	const struct conf *conf = pool->home->conf;
	const struct conf_database *db = conf_find_database(conf, pool->share->database);
	struct share *share = pool->share;
	struct target *plan, *old = NULL;

	if (db == NULL)
		return -1;
	conf_resolve(conf, db, share->user, &pool->limits);
	if (share->is_ours)
		askpool_limit(&pool->limits);
	plan = keeper_plan(pool, db);
	lock_take(&share->lock);
	keeper_add_found(share, plan);
	if (share->target == NULL || replace) {
		/* the same place, but timeouts and texts may be others */
		if (keeper_replace(share, plan, &old)) {
			/* RELOAD reads all files anew */
			if (plan->source != NULL)
				passsource_expire(plan->source);
		} else {
			/* what failed before says nothing about the new one */
			share->is_failing = false;
			share->retry_at = 0;
			share->failed_hosts = 0;
		}
		plan = NULL;
	}
	lock_drop(&share->lock);
	target_unref(old);
	target_unref(plan);
	return 0;
}

/* false: it is for another place */
static bool keeper_give_target(struct server *s, struct target *target)
{
	size_t host = (size_t)(s->host - s->target->host);

	if (s->target == target)
		return true;
	if (solo_is(s))
		return plan_is_same_place(s->target, target);
	if (!plan_is_same(s->target, target))
		return false;
	target_unref(s->target);
	s->target = target_ref(target);
	s->host = &target->host[host];
	return true;
}

/* NULL: the database has gone */
static struct target *keeper_target(struct share *share)
{
	struct target *target;

	lock_take(&share->lock);
	target = share->target != NULL ? target_ref(share->target) : NULL;
	lock_drop(&share->lock);
	return target;
}

static void keeper_check_list(struct dlist *list, struct target *target, bool is_login)
{
	DLIST_EACH(it, list) {
		struct server *s = container_of(it, struct server, link);

		/* a login has lent parts of its target */
		if (is_login && !solo_is(s) ? !plan_is_same(s->target, target) : !keeper_give_target(s, target))
			s->is_outdated = true;
	}
}

void keeper_check_targets(struct pool *pool)
{
	struct target *target = keeper_target(pool->share);

	if (target == NULL)
		return;
	keeper_check_list(&pool->active, target, false);
	keeper_check_list(&pool->busy, target, false);
	keeper_check_list(&pool->opening, target, true);
	DLIST_EACH(it, &pool->idle) {
		struct server *s = container_of(it, struct server, link);

		if (!keeper_give_target(s, target)) {
			pool_list(pool, s, POOL_PLACE_BUSY);
			server_close(s, SERVER_END_OUTDATED);
		}
	}
	target_unref(target);
}

void keeper_adopt(struct pool *pool, struct server *s)
{
	struct target *target = keeper_target(pool->share);

	if (target == NULL || !keeper_give_target(s, target))
		s->is_outdated = true;
	target_unref(target);
}

/* More is known now than the target was made of.  keys: what a client has proved; NULL: found has changed. */
static void keeper_renew(struct pool *pool, const struct conf_database *db, const struct credential_keys *keys)
{
	struct share *share = pool->share;
	struct target *plan = keeper_plan(pool, db), *old;

	lock_take(&share->lock);
	keeper_add_found(share, plan);
	(void)keeper_replace(share, plan, &old);
	if (keys != NULL)
		plan_take_keys(plan, keys);
	/* a failure without it says nothing about the next attempt */
	if (share->is_failing && share->failure.end == SERVER_END_LOGIN_FAILED)
		share->retry_at = 0;
	lock_drop(&share->lock);
	target_unref(old);
}

void keeper_learn_keys(struct pool *pool, const struct credential_keys *keys)
{
	struct share *share = pool->share;
	const struct conf_database *db = conf_find_database(pool->home->conf, share->database);
	bool is_known;

	lock_take(&share->lock);
	is_known = share->target != NULL && plan_knows_keys(share->target, keys);
	lock_drop(&share->lock);
	if (!is_known && db != NULL)
		keeper_renew(pool, db, keys);
}

void keeper_learn_secret(struct pool *pool, const struct credential *found)
{
	struct share *share = pool->share;
	const struct conf_database *db = conf_find_database(pool->home->conf, share->database);
	bool is_known;

	lock_take(&share->lock);
	is_known = share->found != NULL && credential_is_equal(share->found, found);
	if (!is_known && share->found == NULL)
		share->found = mem_zalloc(sizeof(*share->found));
	if (!is_known) {
		credential_fini(share->found);
		credential_copy(share->found, found);
	}
	lock_drop(&share->lock);
	if (!is_known && db != NULL)
		keeper_renew(pool, db, NULL);
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
	/* a password that is refused again and again may lock the account: it is tried for whoever asks only */
	probe = share->is_failing && share->ready == 0 && share->connecting == 0 && now >= share->retry_at &&
		now - share->last_asked < KEEPER_PROBE_FOR_US && strncmp(share->failure.sqlstate, "28", 2) != 0;
	lock_drop(&share->lock);
	return probe;
}

static unsigned keeper_solos(struct share *share)
{
	unsigned n;

	lock_take(&share->lock);
	n = share->solos;
	lock_drop(&share->lock);
	return n;
}

static bool keeper_may_fill(struct pool *pool)
{
	return pool->limits.min_pool_size > 0 && share_servers(pool->share) - keeper_solos(pool->share) < (uint64_t)pool->limits.min_pool_size &&
	       !atomic_load(&pool->share->is_paused);
}

static void keeper_fill(struct pool *pool, uint64_t now)
{
	struct share *share = pool->share;
	bool is_first = true;

	/* one worker is enough: the lowest that has a part in it */
	for (unsigned i = 0; i < pool->home->index && is_first; i++) {
		lock_take(&share->lock);
		is_first = share->side[i].pool == NULL;
		lock_drop(&share->lock);
	}
	if (!is_first)
		return;
	/* nobody waits for these: they take no place from other pools */
	if (keeper_may_fill(pool))
		(void)opener_open_spare(pool, pool_cap(pool));
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

/* how long this pool may be empty; 0: for ever */
static uint64_t keeper_patience(const struct pool *pool)
{
	const struct conf *conf = pool->home->conf;
	const struct conf_database *db = conf_find_database(conf, pool->share->database);
	uint64_t pool_idle = conf->set.pool_idle_timeout, autodb_idle = conf->set.autodb_idle_timeout;

	/* PAUSE and DISABLE hold for what comes back, so it is not forgotten */
	if (pool->limits.min_pool_size > 0 || atomic_load(&pool->share->is_paused) ||
	    atomic_load(&pool->share->is_disabled))
		return 0;
	if (db == NULL || !db->is_auto || autodb_idle == 0)
		return pool_idle;
	return pool_idle > 0 && pool_idle < autodb_idle ? pool_idle : autodb_idle;
}

static void keeper_forget(struct pool *pool)
{
	struct share *share = pool->share;
	bool is_last = true;

	lock_take(&share->lock);
	for (unsigned i = 0; i < share->hub->workers && is_last; i++)
		is_last = i == pool->home->index || share->side[i].pool == NULL;
	lock_drop(&share->lock);
	if (is_last)
		log_write(LOG_LOG, NULL, "%s/%s: cleaning up idle pool", share->database, share->user);
	pool_free(pool);
}

/* true: it is gone */
static bool keeper_clear_away(struct pool *pool)
{
	uint64_t now = loop_now(pool->home->loop), patience = keeper_patience(pool);

	if (conf_find_database(pool->home->conf, pool->share->database) == NULL)
		share_forget(pool->share);
	if (patience == 0 || !pool_is_empty(pool) || share_servers(pool->share) > 0) {
		pool->empty_since = 0;
		return false;
	}
	if (pool->empty_since == 0)
		pool->empty_since = now;
	if (now - pool->empty_since < patience)
		return false;
	keeper_forget(pool);
	return true;
}

/* pools that must have servers before any client comes: once for each snapshot, one worker is enough */
static void keeper_found(struct home *home)
{
	const struct conf *conf = home->conf;

	if (home->index != 0 || !home->must_found)
		return;
	home->must_found = false;
	for (size_t i = 0; i < conf->databases; i++) {
		const struct conf_database *db = &conf->database[i];
		struct conf_limits limits;

		if (db->is_auto || db->force_user == NULL || conf_find_database(conf, db->name) != db)
			continue;
		conf_resolve(conf, db, db->force_user, &limits);
		if (limits.min_pool_size > 0)
			(void)pool_get(home, db->name, db->force_user);
	}
}

/* secrets that are too old to be used are not kept */
static void keeper_sweep(struct home *home)
{
	uint64_t now = loop_now(home->loop), ttl = home->conf->set.auth_query_ttl;

	if (home->index == 0 && now > ttl)
		usercache_sweep(home->hub->users_found, now - ttl);
}

static bool keeper_is_calm(const struct pool *pool)
{
	return pool->waiting == 0 && pool->active_count == 0 && pool->busy_count == 0 && pool->opening_count == 0 &&
	       pool->closing_count == 0;
}

/* Idle servers and idle clients need no haste; whatever else begins comes through home_moved. */
static void keeper_rest(struct home *home, bool calm)
{
	bool quiet = calm && !home->has_moved;

	home->has_moved = false;
	if (!quiet)
		home->quiet = 0;
	else if (home->quiet < KEEPER_REST_AFTER && ++home->quiet == KEEPER_REST_AFTER)
		atomic_store(&home->is_resting, true);
}

void keeper_wake(struct home *home)
{
	loop_arm(home->loop, &home->janitor, KEEPER_TICK_US);
}

static void keeper_on_tick(struct timeout *t)
{
	struct home *home = container_of(t, struct home, janitor);
	bool calm = true;

	keeper_found(home);
	keeper_sweep(home);
	DLIST_EACH(it, &home->pools) {
		struct pool *pool = container_of(it, struct pool, link);

		if (keeper_clear_away(pool))
			continue;
		keeper_tend(pool);
		calm &= keeper_is_calm(pool);
	}
	keeper_rest(home, calm);
	loop_arm(home->loop, &home->janitor, atomic_load(&home->is_resting) ? KEEPER_REST_US : KEEPER_TICK_US);
}

void keeper_start(struct home *home)
{
	timeout_init(&home->janitor, keeper_on_tick);
	keeper_wake(home);
}
