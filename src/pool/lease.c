/*
 * lease.c - asking for a server, waiting in line, giving it back.
 */
#include "pool/lease.h"

#include "pool/opener.h"
#include "pool/solo.h"
#include "server/clean.h"

#include <string.h>

void lease_init(struct lease *l, const struct lease_ops *ops)
{
	memset(l, 0, sizeof(*l));
	l->ops = ops;
	dlist_init(&l->link);
}

static void lease_stop_waiting(struct lease *l)
{
	if (l->handle != 0) {
		slots_remove(&l->pool->home->leases, l->handle);
		l->handle = 0;
	}
	if (l->state == LEASE_QUEUED || l->state == LEASE_TESTING)
		l->pool->waiting--;
	l->state = LEASE_NONE;
}

/* nobody has a server for this pool, and the last attempt to get one has just failed */
static bool lease_is_hopeless(struct share *share, uint64_t now, struct server_failure *why)
{
	bool hopeless;

	lock_take(&share->lock);
	share->last_asked = now;
	hopeless = share->is_failing && now < share->retry_at && strcmp(share->failure.sqlstate, "57P03") != 0 &&
		   share->ready == 0 && share->connecting == 0;
	if (hopeless)
		*why = share->failure;
	lock_drop(&share->lock);
	return hopeless;
}

static void lease_enqueue(struct lease *l)
{
	struct share *share = l->pool->share;

	home_moved(l->pool->home);
	l->state = LEASE_QUEUED;
	l->pool->waiting++;
	lock_take(&share->lock);
	share_enqueue(share, l->pool->home->index, l);
	lock_drop(&share->lock);
}

enum lease_answer lease_ask(struct lease *l, struct pool *pool, uint64_t since, struct server_failure *why)
{
	struct share *share = pool->share;

	CHECK(l->state == LEASE_NONE);
	l->pool = pool;
	l->since = since;
	if (FX_LIKELY(pool->idle_count > 0 && atomic_load_explicit(&share->waiters, memory_order_relaxed) == 0 &&
		      !atomic_load_explicit(&share->is_paused, memory_order_relaxed))) {
		struct server *s = pool_next_idle(pool);

		if (!pool_needs_ping(pool, s)) {
			pool_list(pool, s, POOL_PLACE_ACTIVE);
			l->server = s;
			l->state = LEASE_HELD;
			pool->stats.server_assignment_count++;
			return LEASE_GRANTED;
		}
	}
	if (pool->idle_count == 0 && lease_is_hopeless(share, loop_now(pool->home->loop), why))
		return LEASE_REFUSED;
	pool->stats.wait_count++;
	l->handle = slots_add(&pool->home->leases, l);
	if (l->handle == 0) {
		*why = (struct server_failure){SERVER_END_NO_MEMORY, "53200", "out of memory"};
		return LEASE_REFUSED;
	}
	lease_enqueue(l);
	l->is_asking = true;
	pool_serve(pool);
	l->is_asking = false;
	if (l->state == LEASE_HELD)
		return LEASE_GRANTED;
	if (l->state == LEASE_QUEUED)
		opener_launch(pool);
	return LEASE_WAITS;
}

void lease_leave(struct lease *l)
{
	struct share *share = l->pool != NULL ? l->pool->share : NULL;

	if (l->state == LEASE_QUEUED) {
		lock_take(&share->lock);
		/* not linked: a server is on its way, it will find the handle dead */
		if (dlist_is_linked(&l->link))
			share_unqueue(share, l);
		lock_drop(&share->lock);
	} else if (l->state == LEASE_TESTING) {
		l->server->promised = NULL;
		l->server = NULL;
	} else if (l->state == LEASE_SOLO) {
		solo_leave(l);
		return;
	} else {
		return;
	}
	lease_stop_waiting(l);
}

void lease_grant(struct lease *l, struct server *s)
{
	pool_count_wait(l->pool, l->since);
	lease_stop_waiting(l);
	l->server = s;
	l->state = LEASE_HELD;
	l->pool->stats.server_assignment_count++;
	if (!l->is_asking)
		l->ops->on_granted(l);
}

void lease_test(struct lease *l, struct server *s)
{
	/* the handle stays: it may have to stand in line again */
	l->server = s;
	l->state = LEASE_TESTING;
}

void lease_requeue(struct lease *l)
{
	CHECK(l->state == LEASE_TESTING);
	l->server = NULL;
	l->pool->waiting--;
	lease_enqueue(l);
}

void lease_rejoin(struct lease *l)
{
	struct share *share = l->pool->share;

	lock_take(&share->lock);
	if (!dlist_is_linked(&l->link))
		share_enqueue(share, l->pool->home->index, l);
	lock_drop(&share->lock);
}

void lease_refuse(struct lease *l, const struct server_failure *why)
{
	pool_count_wait(l->pool, l->since);
	lease_stop_waiting(l);
	l->ops->on_refused(l, why);
}

static struct server *lease_drop(struct lease *l)
{
	struct server *s = l->server;

	CHECK(l->state == LEASE_HELD && s != NULL);
	l->server = NULL;
	l->state = LEASE_NONE;
	return s;
}

void lease_return(struct lease *l, bool reset)
{
	struct server *s = lease_drop(l);

	if (FX_UNLIKELY(solo_is(s))) {
		server_dismount(s);
		server_close(s, SERVER_END_SOLO);
		return;
	}
	if (FX_UNLIKELY(reset && s->target->reset_query[0] != '\0')) {
		pool_list(l->pool, s, POOL_PLACE_BUSY);
		clean_begin(s, true);
		return;
	}
	server_dismount(s);
	pool_put(l->pool, s);
}

void lease_give_unused(struct lease *l)
{
	/* nobody saw it counted: this is the turn in which it was granted */
	l->pool->stats.server_assignment_count--;
	pool_put(l->pool, lease_drop(l));
}

void lease_abandon(struct lease *l, bool mid_message, bool reset)
{
	struct server *s = lease_drop(l);

	s->rider_ops = NULL;
	s->rider = NULL;
	pool_list(l->pool, s, POOL_PLACE_BUSY);
	if (solo_is(s))
		server_close(s, SERVER_END_SOLO);
	else if (mid_message || s->has_spoken)
		server_close(s, SERVER_END_UNCLEAN);
	else
		clean_begin(s, reset);
}

void lease_close_server(struct lease *l, enum server_end why)
{
	struct server *s = lease_drop(l);

	s->rider_ops = NULL;
	s->rider = NULL;
	server_close(s, why);
}

void lease_lost(struct lease *l)
{
	(void)lease_drop(l);
}
