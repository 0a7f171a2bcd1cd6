/*
 * home.c - the pools of one worker, and the mail between homes.
 */
#include "pool/home.h"

#include "auth/usercache.h"
#include "base/mem.h"
#include "pool/keeper.h"
#include "pool/lease.h"
#include "pool/opener.h"

#define HOME_SCRAM_KEYS 1024

/* one kind of mail for all errands between homes */
enum home_errand { HOME_SERVE, HOME_EVICT, HOME_REFUSE, HOME_GIFT };

struct home_mail {
	struct mail mail;
	struct share *share;
	enum home_errand errand;
	uint64_t lease_handle;
	struct server *server; /* HOME_GIFT: the receiver's now */
	struct server_failure failure;
};

void home_init(struct home *home, struct loop *loop, struct hub *hub, unsigned index, struct conf *conf)
{
	*home = (struct home){.loop = loop, .hub = hub, .index = index, .conf = conf_ref(conf), .must_found = true};
	uint64_t seed;

	dlist_init(&home->pools);
	slots_init(&home->leases);
	scram_cache_init(&home->scram_cache, HOME_SCRAM_KEYS, hub->process_key);
	derive_init(&home->derive, &home->scram_cache, hub->derivers, loop);
	rnd_secure(&seed, sizeof(seed));
	rnd_seed(&home->rnd, seed);
	keeper_start(home);
}

void home_fini(struct home *home)
{
	struct dlist *node;

	timeout_disarm(&home->janitor);
	while ((node = dlist_first(&home->pools)) != NULL)
		pool_free(container_of(node, struct pool, link));
	slots_fini(&home->leases);
	derive_end(&home->derive);
	scram_cache_fini(&home->scram_cache);
	conf_unref(home->conf);
}

void home_reload(struct home *home, struct conf *conf)
{
	struct conf *old = home->conf;

	home->conf = conf_ref(conf);
	home->must_found = true;
	home_moved(home);
	scram_cache_clear(&home->scram_cache);
	usercache_forget(home->hub->users_found);
	DLIST_EACH(it, &home->pools) {
		struct pool *pool = container_of(it, struct pool, link);

		if (keeper_configure(pool, true) < 0)
			pool_close_servers(pool, SERVER_END_OUTDATED);
		else
			keeper_check_targets(pool);
		pool_serve(pool);
		opener_launch(pool);
	}
	conf_unref(old);
}

void home_stir(struct home *home)
{
	atomic_fetch_add(&home->stirs, 1);
	atomic_store(&home->is_resting, false);
	home->quiet = 0;
	keeper_wake(home);
	if (home->on_stir != NULL)
		home->on_stir(home);
}

static struct pool *home_pool(struct home *home, struct share *share)
{
	struct pool *pool;

	lock_take(&share->lock);
	pool = share->side[home->index].pool;
	lock_drop(&share->lock);
	return pool;
}

static void home_take_gift(struct home *home, struct share *share, struct home_mail *m)
{
	struct pool *pool = home_pool(home, share);
	struct server *s = m->server;
	struct lease *lease = slots_get(&home->leases, m->lease_handle);

	/* the waiter made the pool, and no part of a pool goes while a server of it is under way */
	CHECK(pool != NULL);
	s->owner = pool;
	keeper_adopt(pool, s);
	if (server_attach(s, home->loop, &home->scram_cache) < 0) {
		if (lease != NULL)
			lease_rejoin(lease);
		opener_launch(pool);
		return;
	}
	if (lease != NULL && !atomic_load(&share->is_paused) && !s->is_outdated) {
		pool_give(pool, lease, s);
		return;
	}
	if (lease != NULL)
		lease_rejoin(lease);
	pool_put(pool, s);
}

static void home_deliver(struct loop *loop, struct mail *mail)
{
	struct home *home = loop->owner;
	struct home_mail *m = container_of(mail, struct home_mail, mail);
	struct share *share = m->share;
	struct pool *pool = home_pool(home, share);

	switch (m->errand) {
	case HOME_SERVE:
		atomic_store(&share->side[home->index].is_poked, false);
		if (pool != NULL) {
			pool_serve(pool);
			opener_launch(pool);
		}
		break;
	case HOME_EVICT:
		if (pool != NULL)
			keeper_evict(pool);
		break;
	case HOME_REFUSE:
		if (pool != NULL)
			pool_refuse_waiters(pool, &m->failure);
		break;
	case HOME_GIFT:
		home_take_gift(home, share, m);
		break;
	}
	mem_free(m);
}

static void home_send(struct share *share, unsigned worker, enum home_errand errand, uint64_t handle,
		      struct server *s, const struct server_failure *failure)
{
	struct home_mail *m = mem_zalloc(sizeof(*m));

	m->share = share;
	m->errand = errand;
	m->lease_handle = handle;
	m->server = s;
	if (failure != NULL)
		m->failure = *failure;
	loop_post(share->hub->loops[worker], &m->mail, home_deliver);
}

void home_poke(struct share *share, unsigned worker)
{
	if (!atomic_exchange(&share->side[worker].is_poked, true))
		home_send(share, worker, HOME_SERVE, 0, NULL, NULL);
}

void home_wake_waiters(struct share *share)
{
	for (unsigned i = 0; i < share->hub->workers; i++) {
		bool waits;

		lock_take(&share->lock);
		waits = !dlist_is_empty(&share->side[i].queue);
		lock_drop(&share->lock);
		if (waits)
			home_poke(share, i);
	}
}

void home_evict(struct share *share, unsigned worker)
{
	home_send(share, worker, HOME_EVICT, 0, NULL, NULL);
}

void home_hand_over(struct share *share, unsigned worker, uint64_t lease_handle, struct server *s)
{
	home_send(share, worker, HOME_GIFT, lease_handle, s, NULL);
}

void home_refuse_waiters(struct share *share, const struct server_failure *why)
{
	for (unsigned i = 0; i < share->hub->workers; i++)
		home_send(share, i, HOME_REFUSE, 0, NULL, why);
}
