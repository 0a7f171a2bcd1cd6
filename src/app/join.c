/*
 * join.c - orders to workers that the control thread waits for.
 */
#include "app/join.h"

#include "base/mem.h"

#include <pthread.h>

struct join {
	pthread_mutex_t mutex;
	pthread_cond_t done;
	unsigned left;
	void (*fn)(struct worker *w, void *arg);
	void *arg;
};

static void join_run(struct worker *w, void *arg)
{
	struct join *j = arg;

	j->fn(w, j->arg);
	CHECK(pthread_mutex_lock(&j->mutex) == 0);
	if (--j->left == 0)
		CHECK(pthread_cond_signal(&j->done) == 0);
	CHECK(pthread_mutex_unlock(&j->mutex) == 0);
}

void join_call_all(struct worker **workers, unsigned n, void (*fn)(struct worker *w, void *arg), void *arg)
{
	struct join j = {.left = n, .fn = fn, .arg = arg};

	CHECK(pthread_mutex_init(&j.mutex, NULL) == 0 && pthread_cond_init(&j.done, NULL) == 0);
	for (unsigned i = 0; i < n; i++)
		worker_call(workers[i], join_run, &j);
	CHECK(pthread_mutex_lock(&j.mutex) == 0);
	while (j.left > 0)
		CHECK(pthread_cond_wait(&j.done, &j.mutex) == 0);
	CHECK(pthread_mutex_unlock(&j.mutex) == 0);
	(void)pthread_cond_destroy(&j.done);
	(void)pthread_mutex_destroy(&j.mutex);
}

void join_call(struct worker *w, void (*fn)(struct worker *w, void *arg), void *arg)
{
	join_call_all(&w, 1, fn, arg);
}
