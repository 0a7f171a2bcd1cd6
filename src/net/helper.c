/*
 * helper.c - threads that wait, so that loops need not; and how they end.
 */
#include "net/helper.h"

#include "base/clock.h"
#include "base/mem.h"

#include <pthread.h>
#include <signal.h>
#include <time.h>

struct helper {
	struct dlist link;
	pthread_t thread;
	struct helpers *of;
	bool is_over; /* and will be joined */
};

void helper_init(struct helpers *h, struct lock *lock, void (*run)(void *owner), void (*destroy)(void *owner), void *owner)
{
	pthread_condattr_t attr;

	*h = (struct helpers){.lock = lock, .run = run, .destroy = destroy, .owner = owner};
	dlist_init(&h->all);
	CHECK(pthread_condattr_init(&attr) == 0 && pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0);
	CHECK(pthread_cond_init(&h->changed, &attr) == 0);
	pthread_condattr_destroy(&attr);
}

void helper_fini(struct helpers *h)
{
	CHECK(h->count == 0);
	pthread_cond_destroy(&h->changed);
}

static void *helper_main(void *arg)
{
	struct helper *self = arg;
	struct helpers *h = self->of;
	void (*destroy)(void *) = h->destroy;
	void *owner = h->owner;
	struct lock *lock = h->lock;
	bool is_last;

	lock_take(lock);
	h->run(owner);
	h->count--;
	is_last = h->count == 0 && h->is_abandoned;
	if (h->is_ending && !h->is_abandoned) {
		self->is_over = true;
	} else {
		/* one that was let go has been detached already */
		if (!h->is_abandoned)
			CHECK(pthread_detach(pthread_self()) == 0);
		dlist_remove(&self->link);
		mem_free(self);
	}
	pthread_cond_broadcast(&h->changed);
	lock_drop(lock);
	if (is_last)
		destroy(owner);
	return NULL;
}

void helper_start(struct helpers *h)
{
	struct helper *new = mem_zalloc(sizeof(*new));
	sigset_t all, before;

	new->of = h;
	/* signals are for the control thread */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	if (pthread_create(&new->thread, NULL, helper_main, new) == 0) {
		h->count++;
		dlist_push_back(&h->all, &new->link);
	} else {
		mem_free(new);
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static struct timespec helper_until(clockid_t clock, uint64_t us)
{
	struct timespec ts;

	CHECK(clock_gettime(clock, &ts) == 0);
	us += (uint64_t)ts.tv_nsec / 1000;
	ts.tv_sec += (time_t)(us / CLOCK_US_PER_SEC);
	ts.tv_nsec = (long)(us % CLOCK_US_PER_SEC) * 1000;
	return ts;
}

/* They are over but for what libraries do at a thread's end, which is not worth waiting for either if it hangs. */
static void helper_join(struct dlist *over, uint64_t wait)
{
	const struct timespec until = helper_until(CLOCK_REALTIME, wait);
	struct dlist *link;

	while ((link = dlist_pop_front(over)) != NULL) {
		struct helper *one = container_of(link, struct helper, link);

		if (pthread_timedjoin_np(one->thread, NULL, &until) != 0)
			CHECK(pthread_detach(one->thread) == 0);
		mem_free(one);
	}
}

bool helper_end(struct helpers *h, uint64_t wait)
{
	const struct timespec until = helper_until(CLOCK_MONOTONIC, wait);
	struct dlist over;
	bool all_over;

	dlist_init(&over);
	h->is_ending = true;
	while (h->count > 0 && pthread_cond_timedwait(&h->changed, &h->lock->mutex, &until) == 0)
		;
	all_over = h->count == 0;
	h->is_abandoned = !all_over;
	DLIST_EACH(it, &h->all) {
		struct helper *one = container_of(it, struct helper, link);

		if (!one->is_over) {
			CHECK(pthread_detach(one->thread) == 0);
			continue;
		}
		dlist_remove(it);
		dlist_push_back(&over, it);
	}
	lock_drop(h->lock);
	/* h may be gone, if it was abandoned */
	helper_join(&over, wait);
	return all_over;
}
