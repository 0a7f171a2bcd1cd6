/*
 * share.c - the shared part of a pool.
 */
#include "pool/share.h"

#include "base/mem.h"
#include "pool/lease.h"
#include "proto/reply.h"

#include <string.h>

/* What a transaction touches while nobody waits: the line of waiters is read by all workers and written by none; each side's
 * first line is its worker's. */
_Static_assert(offsetof(struct share, waiters) % 64 == 0, "a line of its own");
_Static_assert(offsetof(struct share, lock) >= offsetof(struct share, waiters) + 64, "a line of its own");
_Static_assert(offsetof(struct share, has_forbidden) < offsetof(struct share, waiters) + 64, "one line");
_Static_assert(sizeof(struct share_side) % 64 == 0 && offsetof(struct share_side, idle) == 0, "lines of its own");

#define SHARE_PATIENCE_US 1000 /* a waiter of this worker is preferred unless another waited so much longer */

struct share *share_new(struct hub *h, const char *database, const char *user)
{
	/* the sides are aligned to cache lines of their own */
	size_t size = sizeof(struct share) + h->workers * sizeof(struct share_side);
	struct share *share = mem_aligned_zalloc(64, size);

	share->hub = h;
	share->database = mem_strdup(database);
	share->user = mem_strdup(user);
	lock_init(&share->lock);
	params_init(&share->forbidden);
	dlist_init(&share->starved_link);
	for (unsigned i = 0; i < h->workers; i++)
		dlist_init(&share->side[i].queue);
	return share;
}

void share_free(struct share *share)
{
	share_welcome_unref(share->welcome);
	target_unref(share->target);
	if (share->found != NULL)
		credential_fini(share->found);
	mem_free(share->found);
	params_fini(&share->forbidden);
	mem_free(share->database);
	mem_free(share->user);
	lock_fini(&share->lock);
	mem_free(share);
}

struct share_welcome *share_welcome_get(struct share *share)
{
	struct share_welcome *w;

	lock_take(&share->lock);
	w = share->welcome;
	if (w != NULL)
		atomic_fetch_add_explicit(&w->refs, 1, memory_order_relaxed);
	lock_drop(&share->lock);
	return w;
}

void share_welcome_unref(struct share_welcome *w)
{
	if (w != NULL && atomic_fetch_sub_explicit(&w->refs, 1, memory_order_acq_rel) == 1)
		mem_free(w);
}

void share_forbid(struct share *share, const char *name)
{
	lock_take(&share->lock);
	/* more of them than anybody has: the next one is refused again */
	if (params_set(&share->forbidden, name, "") == 0)
		atomic_store(&share->has_forbidden, true);
	lock_drop(&share->lock);
}

bool share_is_forbidden(struct share *share, const char *name)
{
	bool is;

	if (FX_LIKELY(!atomic_load_explicit(&share->has_forbidden, memory_order_acquire)))
		return false;
	lock_take(&share->lock);
	is = params_get(&share->forbidden, name) != NULL;
	lock_drop(&share->lock);
	return is;
}

static struct share_welcome *share_welcome_make(const struct params *params)
{
	struct share_welcome *w = NULL;
	const char *name, *value;
	struct buf out;
	size_t it = 0;

	buf_init(&out, 0);
	while (params_next(params, &it, &name, &value))
		(void)reply_parameter(&out, name, value);
	if (!out.bad && (w = mem_try_alloc(sizeof(*w) + out.len)) != NULL) {
		atomic_init(&w->refs, 1);
		w->len = out.len;
		if (out.len > 0)
			memcpy(w->bytes, out.data, out.len);
	}
	buf_fini(&out);
	return w;
}

void share_ready(struct share *share, const struct params *params)
{
	struct share_welcome *w = share_welcome_make(params);

	lock_take(&share->lock);
	share->connecting--;
	share->ready++;
	share->ready_total++;
	share->is_failing = false;
	share->retry_at = 0;
	share->failed_hosts = 0;
	if (w != NULL && (share->welcome == NULL || share->welcome->len != w->len ||
			  memcmp(share->welcome->bytes, w->bytes, w->len) != 0)) {
		struct share_welcome *old = share->welcome;

		share->welcome = w;
		w = old;
	}
	lock_drop(&share->lock);
	share_welcome_unref(w);
}

void share_enqueue(struct share *share, unsigned worker, struct lease *lease)
{
	struct dlist *at = &share->side[worker].queue;

	/* nearly always the youngest; a lease that comes back keeps its place */
	while (at->prev != &share->side[worker].queue &&
	       container_of(at->prev, struct lease, link)->since > lease->since)
		at = at->prev;
	dlist_insert_between(&lease->link, at->prev, at);
	atomic_fetch_add(&share->waiters, 1);
}

void share_unqueue(struct share *share, struct lease *lease)
{
	dlist_remove(&lease->link);
	atomic_fetch_sub(&share->waiters, 1);
}

static struct lease *share_head(struct share *share, unsigned worker)
{
	struct dlist *first = dlist_first(&share->side[worker].queue);

	return first != NULL ? container_of(first, struct lease, link) : NULL;
}

struct lease *share_pick(struct share *share, unsigned worker, unsigned *of_worker)
{
	struct lease *own = share_head(share, worker), *best = own;

	*of_worker = worker;
	for (unsigned i = 0; i < share->hub->workers; i++) {
		struct lease *head = i == worker ? NULL : share_head(share, i);
		uint64_t patience = best == own && own != NULL ? SHARE_PATIENCE_US : 0;

		if (head != NULL && (best == NULL || head->since + patience < best->since)) {
			best = head;
			*of_worker = i;
		}
	}
	if (best != NULL)
		share_unqueue(share, best);
	return best;
}

uint64_t share_oldest(struct share *share)
{
	uint64_t oldest = 0;

	for (unsigned i = 0; i < share->hub->workers; i++) {
		struct lease *head = share_head(share, i);

		if (head != NULL && (oldest == 0 || head->since < oldest))
			oldest = head->since;
	}
	return oldest;
}

unsigned share_idle_elsewhere(struct share *share, unsigned worker)
{
	unsigned n = 0;

	for (unsigned i = 0; i < share->hub->workers; i++)
		if (i != worker)
			n += atomic_load(&share->side[i].idle);
	return n;
}

unsigned share_idle_total(struct share *share)
{
	return share_idle_elsewhere(share, UINT32_MAX);
}

unsigned share_servers(struct share *share)
{
	unsigned n;

	lock_take(&share->hub->lock);
	n = share->servers;
	lock_drop(&share->hub->lock);
	return n;
}

void share_forget(struct share *share)
{
	struct credential *found;
	struct target *target;
	unsigned servers, clients;

	hub_tally_database(share->hub, share->database, &servers, &clients);
	if (servers + clients > 0)
		return;
	lock_take(&share->lock);
	target = share->target;
	found = share->found;
	share->target = NULL;
	share->found = NULL;
	lock_drop(&share->lock);
	target_unref(target);
	if (found != NULL)
		credential_fini(found);
	mem_free(found);
}
