/*
 * usercache.c - what servers have said about users.
 *
 * An entry exists while it has an answer or a ticket.  Entries with an answer stand in
 * the order in which they were asked for, oldest first.
 */
#include "auth/usercache.h"

#include "base/hash.h"
#include "base/lock.h"
#include "base/mem.h"

#include <string.h>

#include "base/poison.h"

struct usercache_entry {
	struct dlist all;
	struct dlist link; /* of answered, when it has an answer */
	struct useranswer *answer;
	uint64_t asked_at;
	struct usercache_ticket *ticket; /* that newcomers may join */
	size_t key_len;
	char *key;
};

struct usercache_ticket {
	struct usercache_entry *entry; /* NULL: cut off by usercache_forget, or replaced by a later question */
	struct dlist waiters;
	uint64_t asked_at;
	size_t waiting;
	size_t key_len;
	char key[];
};

struct usercache {
	struct lock lock;
	struct hash_map map;
	struct dlist all, answered;
	size_t max;
	uint64_t scrams, others; /* secrets that were looked up */
	struct usercache_stats stats;
};

struct usercache *usercache_new(size_t max)
{
	struct usercache *c = mem_zalloc(sizeof(*c));

	lock_init(&c->lock);
	hash_map_init(&c->map);
	dlist_init(&c->all);
	dlist_init(&c->answered);
	c->max = max;
	return c;
}

/* under the lock */
static void usercache_drop_answer(struct usercache *c, struct usercache_entry *e)
{
	if (e->answer == NULL)
		return;
	dlist_remove(&e->link);
	useranswer_unref(e->answer);
	e->answer = NULL;
	c->stats.users--;
}

static void usercache_drop(struct usercache *c, struct usercache_entry *e)
{
	usercache_drop_answer(c, e);
	if (e->ticket != NULL)
		e->ticket->entry = NULL;
	CHECK(hash_map_take(&c->map, e->key, e->key_len) == e);
	dlist_remove(&e->all);
	mem_free(e->key);
	mem_free(e);
}

void usercache_free(struct usercache *c)
{
	if (c == NULL)
		return;
	usercache_forget(c);
	hash_map_fini(&c->map);
	lock_fini(&c->lock);
	mem_free(c);
}

static struct usercache_entry *usercache_entry(struct usercache *c, const void *key, size_t n)
{
	struct usercache_entry *e = hash_map_get(&c->map, key, n);

	if (e != NULL)
		return e;
	e = mem_zalloc(sizeof(*e));
	dlist_init(&e->link);
	dlist_init(&e->all);
	dlist_push_back(&c->all, &e->all);
	e->key = mem_alloc(n);
	memcpy(e->key, key, n);
	e->key_len = n;
	(void)hash_map_put(&c->map, key, n, e);
	return e;
}

static struct usercache_ticket *usercache_ticket(struct usercache *c, struct usercache_entry *e, uint64_t now)
{
	struct usercache_ticket *t = mem_zalloc(sizeof(*t) + e->key_len);

	dlist_init(&t->waiters);
	t->entry = e;
	t->asked_at = now;
	t->key_len = e->key_len;
	memcpy(t->key, e->key, e->key_len);
	e->ticket = t;
	c->stats.asked++;
	c->stats.under_way++;
	return t;
}

enum usercache_say usercache_ask(struct usercache *c, const struct usercache_query *q, struct usercache_waiter *w,
	struct useranswer **answer, uint64_t *asked_at, struct usercache_ticket **ticket)
{
	enum usercache_say say = USERCACHE_WAIT;
	struct usercache_entry *e;

	lock_take(&c->lock);
	e = usercache_entry(c, q->key, q->key_len);
	if (e->answer != NULL && e->asked_at >= q->not_before) {
		*answer = useranswer_ref(e->answer);
		*asked_at = e->asked_at;
		c->stats.hits++;
		lock_drop(&c->lock);
		return USERCACHE_KNOWN;
	}
	if (e->ticket == NULL) {
		*ticket = usercache_ticket(c, e, q->now);
		say = USERCACHE_ASK;
	} else {
		c->stats.merged++;
	}
	dlist_push_back(&e->ticket->waiters, &w->link);
	e->ticket->waiting++;
	c->stats.waiting++;
	lock_drop(&c->lock);
	return say;
}

void usercache_sent(struct usercache *c, struct usercache_ticket *t)
{
	struct usercache_entry *e;

	lock_take(&c->lock);
	e = t->entry;
	t->entry = NULL;
	if (e != NULL) {
		e->ticket = NULL;
		if (e->answer == NULL)
			usercache_drop(c, e);
	}
	lock_drop(&c->lock);
}

static void usercache_store(struct usercache *c, struct usercache_entry *e, struct useranswer *answer, uint64_t asked_at)
{
	usercache_drop_answer(c, e);
	e->answer = useranswer_ref(answer);
	e->asked_at = asked_at;
	dlist_push_back(&c->answered, &e->link);
	c->stats.users++;
	while (c->stats.users > c->max) {
		struct usercache_entry *old = container_of(dlist_first(&c->answered), struct usercache_entry, link);

		if (old->ticket != NULL)
			usercache_drop_answer(c, old);
		else
			usercache_drop(c, old);
	}
}

void usercache_answer(struct usercache *c, struct usercache_ticket *t, struct useranswer *answer, bool keep,
	const struct usercache_failure *why)
{
	struct usercache_entry *e;
	struct dlist *node;

	lock_take(&c->lock);
	c->stats.under_way--;
	c->stats.waiting -= t->waiting;
	c->stats.failed += answer == NULL;
	if (answer != NULL && answer->is_found)
		*(answer->credential.kind == CREDENTIAL_SCRAM ? &c->scrams : &c->others) += 1;
	e = t->entry;
	if (e != NULL) {
		e->ticket = NULL;
		if (answer != NULL && keep)
			usercache_store(c, e, answer, t->asked_at);
		else if (e->answer == NULL || answer != NULL)
			usercache_drop(c, e);
	}
	lock_drop(&c->lock);
	/* nobody can join any more: the list is the caller's own */
	while ((node = dlist_pop_front(&t->waiters)) != NULL) {
		struct usercache_waiter *w = container_of(node, struct usercache_waiter, link);

		w->wake(w, answer != NULL ? useranswer_ref(answer) : NULL, t->asked_at, why);
	}
	useranswer_unref(answer);
	mem_free(t);
}

void usercache_forget(struct usercache *c)
{
	struct dlist *node;

	lock_take(&c->lock);
	while ((node = dlist_first(&c->all)) != NULL)
		usercache_drop(c, container_of(node, struct usercache_entry, all));
	c->scrams = c->others = 0;
	lock_drop(&c->lock);
}

void usercache_sweep(struct usercache *c, uint64_t before)
{
	struct dlist *node;

	lock_take(&c->lock);
	while ((node = dlist_first(&c->answered)) != NULL) {
		struct usercache_entry *e = container_of(node, struct usercache_entry, link);

		if (e->asked_at >= before)
			break;
		if (e->ticket != NULL)
			usercache_drop_answer(c, e);
		else
			usercache_drop(c, e);
	}
	lock_drop(&c->lock);
}

bool usercache_most_are_scram(struct usercache *c)
{
	bool most;

	lock_take(&c->lock);
	most = c->scrams >= c->others;
	lock_drop(&c->lock);
	return most;
}

void usercache_get_stats(struct usercache *c, struct usercache_stats *out)
{
	lock_take(&c->lock);
	*out = c->stats;
	lock_drop(&c->lock);
}

void usercache_note_recheck(struct usercache *c)
{
	lock_take(&c->lock);
	c->stats.rechecks++;
	lock_drop(&c->lock);
}

void usercache_each(struct usercache *c,
	void (*fn)(void *arg, const char *key, size_t key_len, const struct useranswer *answer, uint64_t asked_at),
	void *arg)
{
	lock_take(&c->lock);
	DLIST_EACH(it, &c->answered)
	{
		const struct usercache_entry *e = container_of(it, struct usercache_entry, link);

		fn(arg, e->key, e->key_len, e->answer, e->asked_at);
	}
	lock_drop(&c->lock);
}
