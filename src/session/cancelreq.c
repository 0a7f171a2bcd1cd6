/*
 * cancelreq.c - a client's CancelRequest.
 *
 * A wrong key and a right one look the same to the sender: the connection is
 * closed without a word.  A wrong key ends here, at once: nothing is kept of it,
 * and no other worker hears of it.
 */
#include "session/cancelreq.h"

#include "base/mem.h"
#include "server/cancel.h"
#include "session/entry.h"
#include "session/keyring.h"
#include "session/request.h"
#include "session/worker.h"

struct cancelreq {
	struct mail mail;
	struct worker *from; /* of the connection that brought it */
	uint64_t requester;  /* handle on from */
	struct keyring_hit victim;
};

static void cancelreq_home(struct loop *loop FX_UNUSED, struct mail *mail)
{
	struct cancelreq *r = container_of(mail, struct cancelreq, mail);
	struct client *c = worker_client(r->from, r->requester);

	if (c != NULL && c->state == CLIENT_CANCEL)
		client_close(c, CLIENT_END_CANCEL_DONE);
	mem_free(r);
}

static void cancelreq_over(void *arg)
{
	struct cancelreq *r = arg;

	loop_post(&r->from->loop, &r->mail, cancelreq_home);
}

bool cancelreq_cancel(struct client *victim, void (*done)(void *arg), void *arg)
{
	struct worker *w = victim->worker;

	switch (victim->state) {
	case CLIENT_COMMAND:
		w->console->on_cancel(w, victim->handle, false);
		return false;
	case CLIENT_WAITING:
		request_refuse(victim, "57014", "canceling statement due to user request");
		return false;
	case CLIENT_RUNNING:
		victim->pool->stats.cancels++;
		return cancel_start(victim->lease.server, done, arg);
	default:
		return false;
	}
}

static void cancelreq_there(struct loop *loop, struct mail *mail)
{
	struct cancelreq *r = container_of(mail, struct cancelreq, mail);
	struct client *victim = worker_client(worker_of(loop), r->victim.handle);

	if (victim == NULL || !cancelreq_cancel(victim, cancelreq_over, r))
		cancelreq_over(r);
}

void cancelreq_begin(struct client *c, const struct startup *s)
{
	struct worker *w = c->worker;
	struct keyring_hit hit;
	struct cancelreq *r = NULL;

	if (keyring_find(w, s->cancel_pid, s->cancel_key, s->cancel_key_len, &hit))
		r = mem_try_zalloc(sizeof(*r));
	entry_free(c);
	client_enter(c, CLIENT_CANCEL);
	if (r == NULL) {
		client_close(c, CLIENT_END_CANCEL_DONE);
		return;
	}
	*r = (struct cancelreq){.from = w, .requester = c->handle, .victim = hit};
	loop_post(&hit.worker->loop, &r->mail, cancelreq_there);
}
