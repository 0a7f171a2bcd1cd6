/*
 * solo.c - a server for one client alone.
 *
 * Asks the hub for a place, again and again while there is none; what it waits for
 * is a place, not a server, so it does not stand in the pool's queue.
 */
#include "pool/solo.h"

#include "base/mem.h"
#include "pool/keeper.h"
#include "pool/opener.h"
#include "server/dial.h"

#define SOLO_RETRY_US (UINT64_C(50) * 1000)
#define SOLO_CLAIM_AGAIN 20 /* retries after which another server is asked to make room */

struct solo {
	struct lease *lease;   /* NULL: its client has gone while the server was being opened */
	struct pool *pool;
	struct target *target;
	struct server *server; /* NULL: there was no place yet */
	struct timeout retry;
	unsigned tries;
	bool is_waiting; /* counted in share->solos_waiting */
};

static void solo_wait(struct solo *o, bool on)
{
	if (o->is_waiting == on)
		return;
	o->is_waiting = on;
	if (on)
		atomic_fetch_add(&o->pool->share->solos_waiting, 1);
	else
		atomic_fetch_sub(&o->pool->share->solos_waiting, 1);
}

static void solo_free(struct solo *o)
{
	solo_wait(o, false);
	timeout_disarm(&o->retry);
	target_unref(o->target);
	mem_free(o);
}

/* the lease is none any more */
static struct lease *solo_part(struct solo *o)
{
	struct lease *l = o->lease;

	o->lease = NULL;
	if (o->server != NULL)
		o->server->promised = NULL;
	if (l != NULL) {
		l->solo = NULL;
		l->server = NULL;
		l->state = LEASE_NONE;
	}
	return l;
}

static void solo_refuse(struct solo *o, const struct server_failure *why)
{
	struct lease *l = solo_part(o);

	solo_free(o);
	if (l != NULL)
		l->ops->on_refused(l, why);
}

void solo_leave(struct lease *l)
{
	struct solo *o = l->solo;
	struct server *s = o->server;

	(void)solo_part(o);
	solo_free(o);
	if (s != NULL)
		server_close(s, SERVER_END_NOT_WANTED);
}

static void solo_on_ready(struct server *s)
{
	struct solo *o = s->promised;
	struct pool *pool = s->owner;
	struct lease *l = o->lease;

	pool->stats.servers_opened++;
	(void)solo_part(o);
	solo_free(o);
	pool_list(pool, s, POOL_PLACE_ACTIVE);
	l->server = s;
	l->state = LEASE_HELD;
	pool->stats.server_assignment_count++;
	l->ops->on_granted(l);
}

static void solo_on_failed(struct server *s, const struct server_failure *why)
{
	struct pool *pool = s->owner;
	struct solo *o = s->promised;

	server_log(s, LOG_WARNING, "closing because: %s", why->message);
	pool_list(pool, s, POOL_PLACE_CLOSING);
	/* its client may have gone first: then nothing has failed */
	if (o == NULL)
		return;
	if (why->end == SERVER_END_LOGIN_FAILED)
		pool->stats.login_failures++;
	else
		pool->stats.connect_failures++;
	solo_refuse(o, why);
}

/* nobody pings or cleans it */
static void solo_on_rested(struct server *s)
{
	server_close(s, SERVER_END_SOLO);
}

static void solo_on_ending(struct server *s, enum server_end why)
{
	struct pool *pool = s->owner;

	server_log(s, LOG_LOG, "closing because: %s (age=%us)", server_end_text(why),
		   (unsigned)((loop_now(s->loop) - s->connected_at) / 1000000));
	pool_list(pool, s, POOL_PLACE_CLOSING);
	pool->stats.servers_closed++;
}

static void solo_on_gone(struct server *s)
{
	struct share *share = ((struct pool *)s->owner)->share;

	lock_take(&share->lock);
	share->solos--;
	lock_drop(&share->lock);
	opener_gone(s);
}

static const struct server_owner_ops solo_ops = {
	.on_ready = solo_on_ready,
	.on_failed = solo_on_failed,
	.on_rested = solo_on_rested,
	.on_ending = solo_on_ending,
	.on_gone = solo_on_gone,
};

/* the hub has counted it */
static void solo_start(struct solo *o)
{
	struct pool *pool = o->pool;
	struct share *share = pool->share;
	struct server *s = server_new(pool->home->loop, o->target, &pool->home->scram_cache, &solo_ops, pool);

	solo_wait(o, false);
	if (s == NULL) {
		const struct server_failure why = {SERVER_END_NO_MEMORY, "53200", "out of memory"};

		hub_give_server(pool->home->hub, share);
		solo_refuse(o, &why);
		return;
	}
	lock_take(&share->lock);
	share->solos++;
	lock_drop(&share->lock);
	s->id = hub_next_id(pool->home->hub);
	s->promised = o;
	o->server = s;
	keeper_prepare(pool, s);
	pool_list(pool, s, POOL_PLACE_OPENING);
	dial_start(s, pool->home->hub->resolver, pool->home->hub->errands);
}

bool solo_claims(struct share *share)
{
	unsigned n = atomic_load(&share->claims);

	while (n > 0)
		if (atomic_compare_exchange_weak(&share->claims, &n, n - 1))
			return true;
	return false;
}

/* an idle server goes now, or else the next one that comes back */
static void solo_make_room(struct solo *o, enum hub_answer why)
{
	struct share *share = o->pool->share, *victim;
	unsigned worker;

	if (o->tries++ % SOLO_CLAIM_AGAIN != 0)
		return;
	for (unsigned i = 0; i < share->hub->workers; i++) {
		if (atomic_load(&share->side[i].idle) > 0) {
			home_evict(share, i);
			return;
		}
	}
	if (why != HUB_POOL_FULL && hub_find_victim(share->hub, share, why, &victim, &worker))
		home_evict(victim, worker);
	else
		atomic_store(&share->claims, atomic_load(&share->solos_waiting));
}

static void solo_try(struct solo *o)
{
	struct pool *pool = o->pool;
	enum hub_answer answer;

	if (!atomic_load(&pool->share->is_paused) && !atomic_load(&pool->home->hub->is_draining)) {
		answer = hub_take_server(pool->home->hub, pool->share, pool_cap(pool), &pool->limits);
		if (answer == HUB_OK) {
			solo_start(o);
			return;
		}
		solo_wait(o, true);
		solo_make_room(o, answer);
	}
	loop_arm(pool->home->loop, &o->retry, SOLO_RETRY_US);
}

static void solo_on_retry(struct timeout *t)
{
	solo_try(container_of(t, struct solo, retry));
}

void solo_ask(struct lease *l, struct pool *pool, struct target *target)
{
	struct solo *o = mem_zalloc(sizeof(*o));

	CHECK(l->state == LEASE_NONE && target->replication != NULL);
	o->lease = l;
	o->pool = pool;
	o->target = target;
	l->pool = pool;
	l->solo = o;
	l->since = loop_now(pool->home->loop);
	l->state = LEASE_SOLO;
	timeout_init(&o->retry, solo_on_retry);
	/* from the loop: whoever asks is not to be called back from here */
	loop_arm(pool->home->loop, &o->retry, 1);
}
