/*
 * errand.c - work that may wait.
 *
 * Helpers touch the queue under its lock and nothing else of ours.  Mail is posted
 * under the lock: after errand_free no helper touches a loop.
 */
#include "net/errand.h"

#include "base/clock.h"
#include "base/lock.h"
#include "base/mem.h"
#include "base/secret.h"
#include "net/helper.h"

#include <pthread.h>
#include <time.h>

struct errands {
	struct lock lock;
	struct helpers helpers;
	struct dlist queue;   /* struct errand */
	struct dlist at_work; /* struct errand: begun, not late; the oldest first */
	unsigned idle, waiting;
	unsigned working, late; /* threads at work: in time, and not counted any more */
	unsigned threads_max, waiting_max;
	uint64_t patience;
	bool is_closing;
};

static void errand_run(void *owner);

static void errand_destroy(void *owner)
{
	struct errands *a = owner;

	helper_fini(&a->helpers);
	lock_fini(&a->lock);
	mem_free(a);
}

struct errands *errand_new(unsigned threads, unsigned waiting, uint64_t patience)
{
	struct errands *a = mem_zalloc(sizeof(*a));

	a->threads_max = threads;
	a->waiting_max = waiting;
	a->patience = patience;
	lock_init(&a->lock);
	dlist_init(&a->queue);
	dlist_init(&a->at_work);
	helper_init(&a->helpers, &a->lock, errand_run, errand_destroy, a);
	return a;
}

bool errand_free(struct errands *a)
{
	struct dlist *link;

	if (a == NULL)
		return true;
	lock_take(&a->lock);
	a->is_closing = true;
	while ((link = dlist_pop_front(&a->queue)) != NULL) {
		struct errand *e = container_of(link, struct errand, link);

		e->drop(e);
	}
	pthread_cond_broadcast(&a->helpers.changed);
	if (!helper_end(&a->helpers, HELPER_END_US))
		return false;
	errand_destroy(a);
	return true;
}

static void errand_deliver(struct loop *loop FX_UNUSED, struct mail *mail)
{
	struct errand *e = container_of(mail, struct errand, mail);

	e->done(e);
}

/* Under the lock.  Who has been at work for too long is not counted any more. */
static void errand_write_off(struct errands *a)
{
	uint64_t now = clock_mono_us();
	struct dlist *oldest;

	while ((oldest = dlist_first(&a->at_work)) != NULL && a->patience > 0 && a->late < ERRAND_LATE_MAX) {
		struct errand *e = container_of(oldest, struct errand, link);

		if (now - e->begun < a->patience)
			return;
		dlist_remove(&e->link);
		e->is_late = true;
		a->working--;
		a->late++;
	}
}

/* Under the lock. */
static void errand_start_thread(struct errands *a)
{
	/* with patience one more than may work at a time: it sees when another has to be replaced */
	if (a->idle <= a->waiting && a->helpers.count - a->late < a->threads_max + (a->patience > 0))
		helper_start(&a->helpers);
}

/* under the lock, dropped while the work lasts */
static void errand_do(struct errands *a, struct errand *e)
{
	a->waiting--;
	a->working++;
	e->begun = clock_mono_us();
	dlist_push_back(&a->at_work, &e->link);
	if (dlist_first(&a->queue) != NULL)
		errand_start_thread(a);
	lock_drop(&a->lock);
	e->work(e);
	secret_wipe_stack(); /* it may have been about a password */
	lock_take(&a->lock);
	if (e->is_late) {
		a->late--;
	} else {
		a->working--;
		dlist_remove(&e->link);
	}
	if (a->is_closing)
		e->drop(e);
	else
		loop_post(e->loop, &e->mail, errand_deliver);
	if (dlist_first(&a->queue) != NULL)
		pthread_cond_signal(&a->helpers.changed);
}

/* Under the lock, which is dropped meanwhile: until there is something to do, or somebody to be replaced. */
static void errand_wait(struct errands *a)
{
	struct dlist *oldest = dlist_first(&a->at_work);
	bool may_replace = dlist_first(&a->queue) != NULL && oldest != NULL && a->patience > 0 && a->late < ERRAND_LATE_MAX;
	uint64_t until = may_replace ? container_of(oldest, struct errand, link)->begun + a->patience : 0;
	struct timespec ts = {.tv_sec = (time_t)(until / CLOCK_US_PER_SEC), .tv_nsec = (long)(until % CLOCK_US_PER_SEC) * 1000};

	a->idle++;
	if (may_replace)
		pthread_cond_timedwait(&a->helpers.changed, &a->lock.mutex, &ts);
	else
		pthread_cond_wait(&a->helpers.changed, &a->lock.mutex);
	a->idle--;
	errand_write_off(a);
}

static void errand_run(void *owner)
{
	struct errands *a = owner;

	while (!a->is_closing) {
		struct dlist *link = a->working < a->threads_max ? dlist_pop_front(&a->queue) : NULL;

		if (link != NULL)
			errand_do(a, container_of(link, struct errand, link));
		else if (a->helpers.count - a->working - a->late > 1 && a->helpers.count - a->late > a->threads_max + 1)
			break; /* back from being late: others do the work */
		else
			errand_wait(a);
	}
}

bool errand_give(struct errands *a, struct loop *loop, struct errand *e)
{
	bool is_taken;

	e->loop = loop;
	dlist_init(&e->link);
	lock_take(&a->lock);
	errand_start_thread(a);
	is_taken = a->helpers.count > 0 && a->waiting < a->waiting_max && !a->is_closing;
	if (is_taken) {
		dlist_push_back(&a->queue, &e->link);
		a->waiting++;
		pthread_cond_signal(&a->helpers.changed);
	}
	lock_drop(&a->lock);
	return is_taken;
}
