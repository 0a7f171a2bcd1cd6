/*
 * lookup.c - questions to PostgreSQL, asked by helper threads.
 *
 * As in resolve.c: a request is the loop's (its ask and deadline) and at the same time
 * a node of the helpers'; it dies with its mail, or, when lookup_free comes first, with
 * whoever has it.  A place exists while it has a connection or a request.  The lock is
 * held while mail is posted and never while a server is waited for.
 */
#include "net/lookup_impl.h"

#include "base/clock.h"
#include "base/mem.h"

#include <stdio.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define LOOKUP_FREE_US	   (UINT64_C(500) * 1000)
#define LOOKUP_PATIENCE_US (UINT64_C(250) * 1000) /* the helper itself should say that time is over */

/* helpers have gone, or this is the last */
static void lookup_destroy(void *owner)
{
	struct lookup *l = owner;
	struct hash_iter it = {.slot = 0};
	struct hash_node *node;

	while ((node = hash_map_next(&l->places, &it)) != NULL) {
		struct lookup_place *place = node->value;

		l->driver.close(place->link);
		secret_drop(&place->password);
		buf_fini(&place->text);
		mem_free(place);
	}
	hash_map_fini(&l->places);
	(void)close(l->stop_fd);
	helper_fini(&l->helpers);
	lock_fini(&l->lock);
	mem_free(l);
}

struct lookup *lookup_new(uint64_t idle, const struct lookup_driver *driver)
{
	static const struct lookup_driver libpq = {pqlink_open, pqlink_ask, pqlink_is_lost, pqlink_close};
	struct lookup *l = mem_zalloc(sizeof(*l));

	l->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (l->stop_fd < 0) {
		mem_free(l);
		return NULL;
	}
	l->driver = driver != NULL ? *driver : libpq;
	l->idle_us = idle;
	lock_init(&l->lock);
	helper_init(&l->helpers, &l->lock, lookhelp_run, lookup_destroy, l);
	hash_map_init(&l->places);
	dlist_init(&l->ready);
	return l;
}

void lookup_request_free(struct lookup_request *q)
{
	for (unsigned i = 0; i < q->params; i++)
		mem_free(q->param[i]);
	pqlink_rows_fini(&q->rows);
	mem_free(q);
}

/* under the lock, loops have stopped: the asker hears no more */
static void lookup_cut(struct lookup_request *q)
{
	if (q->ask != NULL)
		q->ask->request = NULL;
	q->ask = NULL;
	timeout_disarm(&q->deadline);
}

void lookup_free(struct lookup *l)
{
	struct hash_iter it = {.slot = 0};
	const uint64_t one = 1;
	struct hash_node *node;

	if (l == NULL)
		return;
	lock_take(&l->lock);
	l->is_closing = true;
	while ((node = hash_map_next(&l->places, &it)) != NULL) {
		struct lookup_place *place = node->value;
		struct dlist *link;

		while ((link = dlist_pop_front(&place->waiting)) != NULL) {
			lookup_cut(container_of(link, struct lookup_request, link));
			lookup_request_free(container_of(link, struct lookup_request, link));
		}
		if (place->current != NULL)
			lookup_cut(place->current);
	}
	CHECK(write(l->stop_fd, &one, sizeof(one)) == sizeof(one));
	pthread_cond_broadcast(&l->helpers.changed);
	if (helper_end(&l->helpers, LOOKUP_FREE_US))
		lookup_destroy(l);
}

/* the mail has come home: on the loop's thread */
void lookup_deliver(struct loop *loop FX_UNUSED, struct mail *mail)
{
	struct lookup_request *q = container_of(mail, struct lookup_request, mail);
	struct lookup_ask *ask = q->ask;

	timeout_disarm(&q->deadline);
	if (ask != NULL) {
		ask->request = NULL;
		ask->on_answer(ask, q->is_answered ? &q->rows : NULL, q->is_answered ? NULL : q->error);
	}
	lookup_request_free(q);
}

/* under the lock; false: answered already (q->error) */
static bool lookup_enqueue(struct lookup *l, struct lookup_request *q, const struct lookup_question *question)
{
	struct lookup_place *place;

	lookhelp_start(l);
	if (l->helpers.count == 0) {
		snprintf(q->error, sizeof(q->error), "no thread for it");
		return false;
	}
	place = l->waiting < LOOKUP_WAITING ? lookplace_get(l, question) : NULL;
	if (place == NULL) {
		snprintf(q->error, sizeof(q->error), "too many questions at a time");
		return false;
	}
	dlist_push_back(&place->waiting, &q->link);
	l->waiting++;
	if (!place->is_busy && !dlist_is_linked(&place->ready)) {
		dlist_push_back(&l->ready, &place->ready);
		pthread_cond_signal(&l->helpers.changed);
	}
	return true;
}

static void lookup_on_deadline(struct timeout *t)
{
	struct lookup_request *q = container_of(t, struct lookup_request, deadline);
	struct lookup_ask *ask = q->ask;

	/* q is freed when its mail comes */
	q->ask = NULL;
	ask->request = NULL;
	ask->on_answer(ask, NULL, "no answer in time");
}

void lookup_ask(struct lookup *l, struct loop *loop, const struct lookup_question *question, struct lookup_ask *ask)
{
	struct lookup_request *q = mem_zalloc(sizeof(*q));
	bool is_waiting;

	CHECK(ask->request == NULL && question->params <= LOOKUP_PARAMS_MAX);
	q->loop = loop;
	q->ask = ask;
	q->until = clock_mono_us() + question->deadline;
	q->sql = question->sql;
	q->params = question->params;
	for (unsigned i = 0; i < q->params; i++)
		q->param[i] = question->param[i] != NULL ? mem_strdup(question->param[i]) : NULL;
	pqlink_rows_init(&q->rows);
	dlist_init(&q->link);
	timeout_init(&q->deadline, lookup_on_deadline);
	ask->request = q;
	loop_arm(loop, &q->deadline, question->deadline + LOOKUP_PATIENCE_US);
	lock_take(&l->lock);
	is_waiting = lookup_enqueue(l, q, question);
	lock_drop(&l->lock);
	/* not from inside this call */
	if (!is_waiting)
		loop_post(loop, &q->mail, lookup_deliver);
}

void lookup_forget(struct lookup_ask *ask)
{
	struct lookup_request *q = ask->request;

	if (q == NULL)
		return;
	timeout_disarm(&q->deadline);
	q->ask = NULL;
	ask->request = NULL;
}

void lookup_get_stats(struct lookup *l, struct lookup_stats *out)
{
	lock_take(&l->lock);
	*out = (struct lookup_stats){.places = (unsigned)l->places.count,
				     .open = l->open,
				     .waiting = l->waiting,
				     .opened = l->opened,
				     .asked = l->asked};
	lock_drop(&l->lock);
}
