/*
 * resolve.c - addresses of host names.
 *
 * Loops ask and are answered by mail; helper threads call getaddrinfo and touch
 * nothing but the resolver's own state, under its lock.  A request is the loop's
 * (its ask and deadline) and at the same time a node of the resolver's: it dies
 * with its mail, so an asker that has gone costs nothing but that.  The lock is
 * held while mail is posted: after resolve_free no helper touches a loop.
 */
#include "net/resolve.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/lock.h"
#include "base/mem.h"
#include "base/str.h"
#include "net/helper.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define RESOLVE_THREADS 4 /* so many names may hang before others wait for them */
#define RESOLVE_NAMES 1024
#define RESOLVE_WAITING 4096
#define RESOLVE_ERROR 256

struct resolve_name {
	struct dlist queue;   /* on resolver->queue until a helper takes it */
	struct dlist waiters; /* struct resolve_request */
	bool is_pending;      /* queued or being looked up */
	uint64_t asked_at;
	uint64_t fresh_until;
	struct addr list[RESOLVE_ADDRS]; /* the last good answer */
	unsigned n;
	char error[RESOLVE_ERROR]; /* of the last look-up, or "" */
	char host[];
};

struct resolver {
	struct lock lock;
	struct helpers helpers;
	struct resolve_options options;
	struct hash_map names;
	struct dlist queue;
	unsigned idle;
	unsigned pending, waiting;
	uint64_t queries;
	bool is_closing;
};

struct resolve_request {
	struct mail mail;
	struct dlist link;	 /* name->waiters, under the lock */
	struct loop *loop;	 /* constant */
	struct resolver *r;	 /* constant */
	struct resolve_ask *ask; /* the loop's; NULL: forgotten or answered */
	struct timeout deadline; /* the loop's */
	struct addr list[RESOLVE_ADDRS];
	unsigned n;
	char error[RESOLVE_ERROR];
	char host[];
};

static void resolve_run(void *owner);
static void resolve_destroy(void *owner);

struct resolver *resolve_new(const struct resolve_options *options)
{
	struct resolver *r = mem_zalloc(sizeof(*r));

	r->options = *options;
	if (r->options.look_up == NULL)
		r->options.look_up = hostaddr_look_up;
	if (r->options.deadline == 0)
		r->options.deadline = RESOLVE_DEADLINE_US;
	lock_init(&r->lock);
	helper_init(&r->helpers, &r->lock, resolve_run, resolve_destroy, r);
	hash_map_init(&r->names);
	dlist_init(&r->queue);
	return r;
}

/* under the lock; nobody asks any more */
static void resolve_drop_names(struct resolver *r)
{
	struct hash_iter it = {.slot = 0};
	struct hash_node *node;

	while ((node = hash_map_next(&r->names, &it)) != NULL) {
		struct resolve_name *name = node->value;
		struct dlist *link;

		while ((link = dlist_pop_front(&name->waiters)) != NULL) {
			struct resolve_request *q = container_of(link, struct resolve_request, link);

			if (q->ask != NULL)
				q->ask->request = NULL;
			timeout_disarm(&q->deadline);
			mem_free(q);
		}
		mem_free(name);
	}
	hash_map_fini(&r->names);
	dlist_init(&r->queue);
}

static void resolve_destroy(void *owner)
{
	struct resolver *r = owner;

	helper_fini(&r->helpers);
	lock_fini(&r->lock);
	mem_free(r);
}

void resolve_free(struct resolver *r)
{
	if (r == NULL)
		return;
	lock_take(&r->lock);
	r->is_closing = true;
	resolve_drop_names(r);
	pthread_cond_broadcast(&r->helpers.changed);
	/* helpers at leisure go at once; one that hangs in a look-up takes the rest with it when it comes back */
	if (helper_end(&r->helpers, HELPER_END_US))
		resolve_destroy(r);
}

void resolve_set_ttl(struct resolver *r, uint64_t ttl, uint64_t nxttl)
{
	lock_take(&r->lock);
	r->options.ttl = ttl;
	r->options.nxttl = nxttl;
	lock_drop(&r->lock);
}

static void resolve_answer(struct resolve_ask *ask, struct addr *list, unsigned n, const char *error)
{
	for (unsigned i = 0; i < n; i++)
		list[i].port = ask->port;
	ask->on_answer(ask, list, n, n > 0 ? NULL : error);
}

/* the mail has come home: on the loop's thread */
static void resolve_deliver(struct loop *loop FX_UNUSED, struct mail *mail)
{
	struct resolve_request *q = container_of(mail, struct resolve_request, mail);
	struct resolve_ask *ask = q->ask;

	timeout_disarm(&q->deadline);
	if (ask != NULL) {
		ask->request = NULL;
		resolve_answer(ask, q->list, q->n, q->error);
	}
	mem_free(q);
}

/* under the lock */
static void resolve_copy_answer(const struct resolve_name *name, struct addr *list, unsigned *n, char *error)
{
	memcpy(list, name->list, name->n * sizeof(*list));
	*n = name->n;
	snprintf(error, RESOLVE_ERROR, "%s", name->error);
}

/* under the lock */
static void resolve_settle(struct resolver *r, struct resolve_name *name, enum hostaddr_result result,
			   const struct addr *list, unsigned n, const char *error)
{
	struct dlist *link;

	name->fresh_until = clock_mono_us() + (result == HOSTADDR_FOUND ? r->options.ttl : r->options.nxttl);
	name->error[0] = '\0';
	if (result == HOSTADDR_FOUND) {
		memcpy(name->list, list, n * sizeof(*list));
		name->n = n;
	} else {
		snprintf(name->error, sizeof(name->error), "cannot look up \"%.120s\": %.100s", name->host, error);
		if (result == HOSTADDR_NO_SUCH_NAME)
			name->n = 0;
	}
	name->is_pending = false;
	r->pending--;
	while ((link = dlist_pop_front(&name->waiters)) != NULL) {
		struct resolve_request *q = container_of(link, struct resolve_request, link);

		r->waiting--;
		resolve_copy_answer(name, q->list, &q->n, q->error);
		loop_post(q->loop, &q->mail, resolve_deliver);
	}
}

/* under the lock, dropped while the look-up lasts */
static void resolve_work(struct resolver *r, struct resolve_name *name)
{
	struct addr list[RESOLVE_ADDRS];
	char error[RESOLVE_ERROR] = "";
	unsigned n = RESOLVE_ADDRS;
	enum hostaddr_result result;
	char *host = mem_strdup(name->host);

	r->queries++;
	lock_drop(&r->lock);
	result = r->options.look_up(host, list, &n, error, sizeof(error));
	lock_take(&r->lock);
	if (result == HOSTADDR_FOUND && n == 0)
		result = HOSTADDR_NO_SUCH_NAME;
	/* a pending name is never evicted, but resolve_free drops all */
	if (!r->is_closing)
		resolve_settle(r, hash_map_find(&r->names, host), result, list, n, error);
	mem_free(host);
}

static void resolve_run(void *owner)
{
	struct resolver *r = owner;

	while (!r->is_closing) {
		struct dlist *link = dlist_pop_front(&r->queue);

		if (link != NULL) {
			resolve_work(r, container_of(link, struct resolve_name, queue));
			continue;
		}
		r->idle++;
		pthread_cond_wait(&r->helpers.changed, &r->lock.mutex);
		r->idle--;
	}
}

/* Under the lock. */
static void resolve_start_thread(struct resolver *r)
{
	if (r->idle == 0 && r->helpers.count < RESOLVE_THREADS)
		helper_start(&r->helpers);
}

/* on the loop's thread: the look-up takes too long */
static void resolve_on_deadline(struct timeout *t)
{
	struct resolve_request *q = container_of(t, struct resolve_request, deadline);
	struct resolve_ask *ask = q->ask;
	const struct resolve_name *name;
	struct addr list[RESOLVE_ADDRS];
	char error[RESOLVE_ERROR], host[128];
	unsigned n = 0;

	/* q is freed when its mail comes, or with the resolver */
	q->ask = NULL;
	ask->request = NULL;
	lock_take(&q->r->lock);
	name = hash_map_find(&q->r->names, q->host);
	if (name != NULL)
		resolve_copy_answer(name, list, &n, error);
	lock_drop(&q->r->lock);
	str_copy(host, sizeof(host), q->host);
	snprintf(error, sizeof(error), "cannot look up \"%s\": no answer in time", host);
	resolve_answer(ask, list, n, error);
}

/* under the lock; NULL: the cache is full of names that are in use */
static struct resolve_name *resolve_name_get(struct resolver *r, const char *host, uint64_t now)
{
	struct resolve_name *name = hash_map_find(&r->names, host);
	struct hash_iter it = {.slot = 0};
	struct hash_node *node;
	size_t len = strlen(host);

	if (name != NULL)
		return name;
	if (r->names.count >= RESOLVE_NAMES) {
		while ((node = hash_map_next(&r->names, &it)) != NULL) {
			name = node->value;
			if (!name->is_pending && name->fresh_until <= now)
				break;
		}
		if (node == NULL)
			return NULL;
		(void)hash_map_take(&r->names, node->key, node->key_len);
		mem_free(name);
	}
	name = mem_zalloc(sizeof(*name) + len + 1);
	memcpy(name->host, host, len);
	dlist_init(&name->queue);
	dlist_init(&name->waiters);
	(void)hash_map_put(&r->names, host, len, name);
	return name;
}

/* under the lock; false: answered (list, n, error) */
static bool resolve_enqueue(struct resolver *r, struct resolve_request *q, struct addr *list, unsigned *n, char *error)
{
	uint64_t now = clock_mono_us();
	struct resolve_name *name = resolve_name_get(r, q->host, now);

	if (name == NULL || r->waiting >= RESOLVE_WAITING) {
		snprintf(error, RESOLVE_ERROR, "too many host names are being looked up");
		return false;
	}
	if (!name->is_pending && now < name->fresh_until) {
		resolve_copy_answer(name, list, n, error);
		return false;
	}
	if (name->is_pending && now - name->asked_at > r->options.deadline) {
		/* it hangs: those who come now need not find that out anew */
		resolve_copy_answer(name, list, n, error);
		if (error[0] == '\0')
			snprintf(error, RESOLVE_ERROR, "cannot look up \"%.120s\": no answer for long", name->host);
		return false;
	}
	if (!name->is_pending) {
		resolve_start_thread(r);
		if (r->helpers.count == 0) {
			snprintf(error, RESOLVE_ERROR, "cannot look up \"%.120s\": no thread", name->host);
			return false;
		}
		name->is_pending = true;
		name->asked_at = now;
		r->pending++;
		dlist_push_back(&r->queue, &name->queue);
		pthread_cond_signal(&r->helpers.changed);
	}
	dlist_push_back(&name->waiters, &q->link);
	r->waiting++;
	return true;
}

void resolve_ask(struct resolver *r, struct loop *loop, const char *host, struct resolve_ask *ask)
{
	struct addr list[RESOLVE_ADDRS];
	char error[RESOLVE_ERROR] = "";
	size_t len = strlen(host);
	struct resolve_request *q;
	unsigned n = 0;
	bool is_waiting;

	CHECK(ask->request == NULL);
	if (addr_parse(&list[0], host, ask->port)) {
		resolve_answer(ask, list, 1, NULL);
		return;
	}
	q = mem_zalloc(sizeof(*q) + len + 1);
	memcpy(q->host, host, len);
	q->r = r;
	q->loop = loop;
	q->ask = ask;
	dlist_init(&q->link);
	timeout_init(&q->deadline, resolve_on_deadline);
	lock_take(&r->lock);
	is_waiting = resolve_enqueue(r, q, list, &n, error);
	lock_drop(&r->lock);
	if (!is_waiting) {
		mem_free(q);
		resolve_answer(ask, list, n, error);
		return;
	}
	/* q can't go before this turn's mail */
	ask->request = q;
	loop_arm(loop, &q->deadline, r->options.deadline);
}

void resolve_forget(struct resolve_ask *ask)
{
	struct resolve_request *q = ask->request;

	if (q == NULL)
		return;
	timeout_disarm(&q->deadline);
	q->ask = NULL;
	ask->request = NULL;
}

void resolve_get_stats(struct resolver *r, struct resolve_stats *out)
{
	lock_take(&r->lock);
	*out = (struct resolve_stats){.names = (unsigned)r->names.count,
				      .pending = r->pending,
				      .waiting = r->waiting,
				      .queries = r->queries};
	lock_drop(&r->lock);
}

void resolve_each(struct resolver *r,
		  void (*row)(void *arg, const char *host, uint64_t ttl, const struct addr *list, unsigned n), void *arg)
{
	uint64_t now = clock_mono_us();
	struct hash_iter it = {.slot = 0};
	struct hash_node *node;

	lock_take(&r->lock);
	while ((node = hash_map_next(&r->names, &it)) != NULL) {
		const struct resolve_name *name = node->value;

		row(arg, name->host, name->fresh_until > now ? name->fresh_until - now : 0, name->list, name->n);
	}
	lock_drop(&r->lock);
}
