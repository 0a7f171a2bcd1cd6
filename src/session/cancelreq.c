/*
 * cancelreq.c - a client's CancelRequest.
 *
 * A wrong key and a right one look the same to the sender: the connection is
 * closed without a word.
 */
#include "session/cancelreq.h"

#include "base/mem.h"
#include "server/cancel.h"
#include "session/entry.h"
#include "session/relay.h"
#include "session/worker.h"

#include <string.h>

#define CANCELREQ_MAX 256 /* under way at one time on one worker: more are dropped */

struct cancelreq {
	struct mail mail;
	struct worker *from;  /* of the connection that brought it */
	struct worker *there; /* of the client it means */
	uint64_t requester;   /* handle on from */
	uint32_t pid, key;
};

static void cancelreq_home(struct loop *loop FX_UNUSED, struct mail *mail)
{
	struct cancelreq *r = container_of(mail, struct cancelreq, mail);
	struct client *c = worker_client(r->from, r->requester);

	if (c != NULL && c->state == CLIENT_CANCEL)
		client_close(c, CLIENT_END_CANCEL_DONE);
	mem_free(r);
}

static void cancelreq_over(struct cancelreq *r)
{
	loop_post(&r->from->loop, &r->mail, cancelreq_home);
}

static void cancelreq_done(void *arg)
{
	struct cancelreq *r = arg;

	r->there->cancels--;
	cancelreq_over(r);
}

bool cancelreq_cancel(struct client *victim, void (*done)(void *arg), void *arg)
{
	struct worker *w = victim->worker;

	switch (victim->state) {
	case CLIENT_COMMAND:
		w->console->on_cancel(w, victim->handle, false);
		return false;
	case CLIENT_WAITING:
		relay_refuse_request(victim, "57014", "canceling statement due to user request");
		return false;
	case CLIENT_RUNNING:
		victim->pool->stats.cancels++;
		return cancel_start(victim->lease.server, done, arg) != NULL;
	default:
		return false;
	}
}

static void cancelreq_there(struct loop *loop FX_UNUSED, struct mail *mail)
{
	struct cancelreq *r = container_of(mail, struct cancelreq, mail);
	struct client *victim = worker_key_find(r->there, r->pid, r->key);

	if (victim != NULL && r->there->cancels < CANCELREQ_MAX && cancelreq_cancel(victim, cancelreq_done, r))
		r->there->cancels++;
	else
		cancelreq_over(r);
}

void cancelreq_begin(struct client *c, const struct startup *s)
{
	struct worker *w = c->worker;
	unsigned index = s->cancel_pid & (HUB_WORKERS_MAX - 1);
	struct cancelreq *r;

	/* state first: the answer may come from inside */
	entry_free(c);
	client_enter(c, CLIENT_CANCEL);
	r = mem_try_zalloc(sizeof(*r));
	if (r == NULL || index >= w->home.hub->workers || s->cancel_key_len != sizeof(r->key)) {
		mem_free(r);
		client_close(c, CLIENT_END_CANCEL_DONE);
		return;
	}
	r->from = w;
	r->there = w->all[index];
	r->requester = c->handle;
	r->pid = s->cancel_pid;
	memcpy(&r->key, s->cancel_key, sizeof(r->key));
	loop_post(&r->there->loop, &r->mail, cancelreq_there);
}
