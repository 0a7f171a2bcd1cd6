/*
 * derive.c - SCRAM keys of many iterations.
 *
 * A job is its worker's but for the scramjob in it, which is the helper's until it is home again.
 */
#include "server/derive.h"

#include "base/mem.h"
#include "net/errand.h"

#include <stdatomic.h>
#include <string.h>

struct derive_job {
	struct errand errand;
	struct dlist link; /* derive->jobs */
	struct derive *d;  /* NULL: nobody's */
	struct dlist waits;
	_Atomic bool is_moot; /* nobody waits for it any more: a helper that has not begun need not */
	struct scramjob *scram;
};

void derive_init(struct derive *d, struct scram_cache *cache, struct errands *errands, struct loop *loop)
{
	*d = (struct derive){.cache = cache, .errands = errands, .loop = loop};
	dlist_init(&d->jobs);
	cache->here_max = errands != NULL ? DERIVE_HERE_MAX : 0;
	cache->elsewhere = d;
}

void derive_end(struct derive *d)
{
	struct dlist *link;

	while ((link = dlist_pop_front(&d->jobs)) != NULL)
		container_of(link, struct derive_job, link)->d = NULL;
	d->errands = NULL;
}

void derive_wait_init(struct derive_wait *w, void (*on_derived)(struct derive_wait *w))
{
	*w = (struct derive_wait){.on_derived = on_derived};
	dlist_init(&w->link);
}

void derive_forget(struct derive_wait *w)
{
	if (w->job == NULL)
		return;
	dlist_remove(&w->link);
	if (dlist_is_empty(&w->job->waits))
		atomic_store_explicit(&w->job->is_moot, true, memory_order_relaxed);
	w->job = NULL;
}

/* Whoever comes and goes with wrong passwords does not keep the helpers from those who stay. */
static void derive_work(struct errand *e)
{
	struct derive_job *job = container_of(e, struct derive_job, errand);

	if (!atomic_load_explicit(&job->is_moot, memory_order_relaxed))
		scramjob_work(job->scram);
}

static void derive_free(struct derive_job *job)
{
	scramjob_free(job->scram);
	mem_free(job);
}

static void derive_drop(struct errand *e)
{
	derive_free(container_of(e, struct derive_job, errand));
}

static void derive_done(struct errand *e)
{
	struct derive_job *job = container_of(e, struct derive_job, errand);
	struct derive *d = job->d;
	struct dlist *link;

	if (d != NULL)
		dlist_remove(&job->link);
	/* one may take another one with him */
	while (d != NULL && (link = dlist_pop_front(&job->waits)) != NULL) {
		struct derive_wait *w = container_of(link, struct derive_wait, link);

		w->job = NULL;
		scram_cache_lend(d->cache, job->scram);
		w->on_derived(w);
		scram_cache_lend(d->cache, NULL);
	}
	derive_free(job);
}

static struct derive_job *derive_find(struct derive *d, const uint8_t id[SCRAMKEY_LEN])
{
	DLIST_EACH(it, &d->jobs) {
		struct derive_job *job = container_of(it, struct derive_job, link);

		if (!job->is_moot && memcmp(job->scram->id, id, SCRAMKEY_LEN) == 0)
			return job;
	}
	return NULL;
}

static struct derive_job *derive_begin(struct derive *d, struct scramjob *scram)
{
	struct derive_job *job = mem_zalloc(sizeof(*job));

	job->errand = (struct errand){.work = derive_work, .done = derive_done, .drop = derive_drop};
	job->d = d;
	job->scram = scram;
	dlist_init(&job->waits);
	dlist_init(&job->link);
	if (d->errands == NULL || !errand_give(d->errands, d->loop, &job->errand)) {
		derive_free(job);
		return NULL;
	}
	dlist_push_back(&d->jobs, &job->link);
	return job;
}

bool derive_ask(struct scram_cache *cache, struct derive_wait *w)
{
	struct derive *d = cache->elsewhere;
	struct scramjob *scram = scram_cache_take_job(cache);
	struct derive_job *job = derive_find(d, scram->id);

	CHECK(w->job == NULL);
	if (job != NULL)
		scramjob_free(scram);
	else
		job = derive_begin(d, scram);
	if (job == NULL)
		return false;
	w->job = job;
	dlist_push_back(&job->waits, &w->link);
	return true;
}
