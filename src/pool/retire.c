/*
 * retire.c - which idle server may leave now.
 *
 * An aged server that is in use waits for a successor, so that the pool never
 * dips; where the limits leave no room for one, servers go one at a time, each
 * followed by its successor.
 */
#include "pool/retire.h"

#include "base/clock.h"
#include "pool/opener.h"

#define RETIRE_USED_US (10 * CLOCK_US_PER_SEC) /* a server that was used so recently is worth a successor */

/* with share->lock held */
static bool retire_claim(struct share *share, struct server *s, unsigned floor)
{
	if (share->ready - share->leaving <= floor)
		return false;
	share->leaving++;
	s->is_leaving = true;
	return true;
}

static bool retire_down_to(struct share *share, struct server *s, unsigned floor)
{
	bool ok;

	lock_take(&share->lock);
	ok = retire_claim(share, s, floor);
	lock_drop(&share->lock);
	return ok;
}

void retire_account(struct share *share, struct server *s)
{
	share->ready--;
	if (s->is_leaving)
		share->leaving--;
	if (s->is_replaced)
		share->replacing--;
	s->is_leaving = s->is_replaced = false;
}

/* there is no room for a successor beside it */
static bool retire_go_first(struct pool *pool, struct server *s)
{
	struct share *share = pool->share;
	unsigned servers = share_servers(share);
	bool ok;

	lock_take(&share->lock);
	ok = share->replacing == 0 && share->connecting == 0 && share->leaving == 0 && share->refill == 0 &&
	     servers == share->ready + share->solos && retire_claim(share, s, 0);
	if (ok)
		share->refill++;
	lock_drop(&share->lock);
	return ok;
}

static bool retire_aged(struct pool *pool, struct server *s, uint64_t now)
{
	struct share *share = pool->share;
	bool is_overdue = now - s->connected_at > s->lifetime + 2 * s->target->connect_timeout;
	unsigned level;
	bool ok;

	/* a successor that nobody ever used needs none itself */
	if (!(s->was_used && now - s->idle_since < RETIRE_USED_US) &&
	    retire_down_to(share, s, (unsigned)pool->limits.min_pool_size))
		return true;
	if (!s->is_replaced) {
		lock_take(&share->lock);
		level = share->ready - share->leaving;
		lock_drop(&share->lock);
		if (!opener_open(pool, pool_cap(pool)))
			return retire_go_first(pool, s);
		lock_take(&share->lock);
		share->replacing++;
		lock_drop(&share->lock);
		s->is_replaced = true;
		s->replace_level = level;
		return false;
	}
	lock_take(&share->lock);
	ok = retire_claim(share, s, is_overdue ? 0 : s->replace_level);
	lock_drop(&share->lock);
	return ok;
}

enum server_end retire_check(struct pool *pool, struct server *s, uint64_t now)
{
	const struct conf_limits *l = &pool->limits;
	struct share *share = pool->share;
	uint64_t idle = now - s->idle_since;
	unsigned cap = pool_cap(pool);

	if (cap > 0 && retire_down_to(share, s, cap + (unsigned)l->reserve_pool_size))
		return SERVER_END_SURPLUS;
	if (l->pool_size > 0 && idle >= l->overflow_linger && retire_down_to(share, s, (unsigned)l->pool_size))
		return SERVER_END_LINGER;
	if (l->server_idle_timeout > 0 && idle >= l->server_idle_timeout &&
	    retire_down_to(share, s, (unsigned)l->min_pool_size))
		return SERVER_END_IDLE_TIMEOUT;
	if (retire_is_aged(s, now) && retire_aged(pool, s, now))
		return SERVER_END_LIFETIME;
	return SERVER_END_NONE;
}

void retire_refill(struct pool *pool)
{
	struct share *share = pool->share;
	bool due;

	lock_take(&share->lock);
	due = share->refill > 0;
	if (due)
		share->refill--;
	lock_drop(&share->lock);
	if (due)
		(void)opener_open(pool, pool_cap(pool));
}
