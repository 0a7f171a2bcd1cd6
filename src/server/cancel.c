/*
 * cancel.c - a CancelRequest on its way to PostgreSQL.
 *
 * At most one connection for each server: whoever asks again before the bytes are
 * out shares it, whoever asks later waits until it has come to its end.  So a pool
 * never has more cancels under way than servers, however many clients ask.
 */
#include "server/cancel.h"

#include "base/log.h"
#include "base/mem.h"
#include "proto/frontend.h"
#include "server/secure.h"

#define CANCEL_WAIT_US (UINT64_C(10) * 1000000) /* where the configuration sets no bound: a server is not held for ever */
#define CANCEL_WAITERS_MAX 64 /* who is told of the end of one; the wish of any more is fulfilled all the same */

enum cancel_state {
	CANCEL_QUEUED,	/* another one is under way to the same server */
	CANCEL_DIALLED, /* connecting */
	CANCEL_HELD,	/* connected; goes when what runs is the client's */
	CANCEL_SENT,	/* waits for PostgreSQL's end of file */
};

struct cancel {
	struct conn conn;
	struct loop *loop;
	struct loop_grave grave;
	struct server *server; /* NULL: it is gone */
	struct loop_stray stray;
	struct dlist link; /* of server->cancels */
	struct timeout deadline;
	struct target *target;
	uint64_t request_no;
	struct dlist waiters;
	unsigned waiting;
	uint8_t state;
};

struct cancel_waiter {
	struct dlist link;
	void (*done)(void *arg);
	void *arg;
};

static void cancel_destroy(struct loop_grave *grave)
{
	struct cancel *c = container_of(grave, struct cancel, grave);

	target_unref(c->target);
	mem_free(c);
}

static bool cancel_is_sent(const struct cancel *c)
{
	return c->state == CANCEL_SENT;
}

/* the only place where bytes of one request could hit another: what runs now must be what was meant */
static bool cancel_is_due(const struct cancel *c)
{
	return c->server->request_no == c->request_no && c->server->request_since != 0;
}

static struct cancel *cancel_find(const struct server *s, bool is_sent)
{
	DLIST_EACH(it, &s->cancels) {
		struct cancel *c = container_of(it, struct cancel, link);

		if (cancel_is_sent(c) == is_sent)
			return c;
	}
	return NULL;
}

bool cancel_may_hit(const struct server *s)
{
	return cancel_find(s, true) != NULL;
}

static void cancel_tell(struct cancel *c)
{
	struct dlist *node;

	while ((node = dlist_pop_front(&c->waiters)) != NULL) {
		struct cancel_waiter *w = container_of(node, struct cancel_waiter, link);

		w->done(w->arg);
		mem_free(w);
	}
}

static const struct conn_ops cancel_conn_ops;

static void cancel_dial(struct cancel *c)
{
	const struct server *s = c->server;

	c->state = CANCEL_DIALLED;
	conn_connect(&c->conn, c->loop, &s->remote, s->host->path, &cancel_conn_ops);
}

static void cancel_end(struct cancel *c)
{
	struct server *s = c->server;
	struct cancel *next;

	timeout_disarm(&c->deadline);
	dlist_remove(&c->stray.link);
	if (c->state != CANCEL_QUEUED)
		conn_close(&c->conn);
	if (s != NULL) {
		dlist_remove(&c->link);
		c->server = NULL;
	}
	cancel_tell(c);
	loop_defer_free(c->loop, &c->grave, cancel_destroy);
	if (s == NULL)
		return;
	next = cancel_find(s, false);
	if (next != NULL && next->state == CANCEL_QUEUED)
		cancel_dial(next);
	/* whether the server is quiet now is looked at from the loop: whoever called us is not done with it */
	conn_notify_empty(&s->conn);
}

static void cancel_on_end(struct loop_stray *stray)
{
	cancel_end(container_of(stray, struct cancel, stray));
}

static void cancel_on_deadline(struct timeout *t)
{
	struct cancel *c = container_of(t, struct cancel, deadline);

	/* it may still arrive: nobody else must get this server */
	if (c->server != NULL && cancel_is_sent(c)) {
		log_write(LOG_WARNING, c->target->name, "cancel request did not come to an end, server will be closed");
		c->server->is_outdated = true;
	}
	cancel_end(c);
}

/* connected: the bytes go out, now or when the client's part of the request has begun, or never */
static void cancel_send(struct cancel *c)
{
	struct server *s = c->server;
	struct buf out;

	if (s == NULL || !cancel_is_due(c)) {
		cancel_end(c);
		return;
	}
	/* what we put before the request (settings) must not be hit: the request would run without it */
	if (expect_is_ours(&s->expect)) {
		c->state = CANCEL_HELD;
		return;
	}
	buf_init(&out, 0);
	if (frontend_cancel(&out, s->pid, s->key.data, s->key.len) == 0) {
		conn_send(&c->conn, out.data, out.len, NULL);
		c->state = CANCEL_SENT;
	}
	buf_wipe(&out);
	if (!cancel_is_sent(c))
		cancel_end(c);
}

void cancel_proceed(struct server *s)
{
	struct cancel *c = cancel_find(s, false);

	if (c == NULL)
		return;
	/* its request is over: it need not even arrive */
	if (!cancel_is_due(c))
		cancel_end(c);
	else if (c->state == CANCEL_HELD)
		cancel_send(c);
}

/* as safe as the connection it is about */
static void cancel_on_connected(struct conn *conn)
{
	struct cancel *c = container_of(conn, struct cancel, conn);
	enum secure_next next = SECURE_FAILS;
	const char *why;

	if (c->server != NULL)
		next = secure_begin(conn, c->target, c->server->host, c->server->conn.tls != NULL, &why);
	if (next == SECURE_GO)
		cancel_send(c);
	else if (next == SECURE_FAILS)
		cancel_end(c);
}

static size_t cancel_on_bytes(struct conn *conn, struct chunk *chunk FX_UNUSED, const uint8_t *data, size_t n)
{
	struct cancel *c = container_of(conn, struct cancel, conn);
	const char *why;

	/* the server says nothing but its answer about TLS; if it does, its EOF follows */
	if (c->state != CANCEL_DIALLED || conn->tls != NULL)
		return n;
	/* one that spoke TLS a moment ago and does not now is another one */
	if (c->server == NULL ||
	    secure_answer(conn, c->target, c->server->host, data, n, &why) != SECURE_WAITS)
		cancel_end(c);
	return n;
}

static void cancel_on_secured(struct conn *conn)
{
	cancel_send(container_of(conn, struct cancel, conn));
}

static void cancel_on_drained(struct conn *conn FX_UNUSED)
{
}

static void cancel_on_closed(struct conn *conn, enum conn_end end FX_UNUSED, int err FX_UNUSED)
{
	cancel_end(container_of(conn, struct cancel, conn));
}

static const struct conn_ops cancel_conn_ops = {
	.on_bytes = cancel_on_bytes,
	.on_drained = cancel_on_drained,
	.on_closed = cancel_on_closed,
	.on_connected = cancel_on_connected,
	.on_secured = cancel_on_secured,
};

static struct cancel *cancel_new(struct server *s)
{
	struct cancel *c = mem_try_zalloc(sizeof(*c));
	bool is_first = dlist_is_empty(&s->cancels);

	if (c == NULL)
		return NULL;
	c->server = s;
	c->loop = s->loop;
	c->target = target_ref(s->target);
	dlist_init(&c->waiters);
	loop_stray_add(s->loop, &c->stray, cancel_on_end);
	dlist_push_back(&s->cancels, &c->link);
	timeout_init(&c->deadline, cancel_on_deadline);
	if (is_first)
		cancel_dial(c);
	return c;
}

static bool cancel_wait(struct cancel *c, void (*done)(void *arg), void *arg)
{
	struct cancel_waiter *w;

	if (done == NULL)
		return true;
	w = c->waiting < CANCEL_WAITERS_MAX ? mem_try_zalloc(sizeof(*w)) : NULL;
	if (w == NULL)
		return false;
	w->done = done;
	w->arg = arg;
	dlist_push_back(&c->waiters, &w->link);
	c->waiting++;
	return true;
}

bool cancel_start(struct server *s, void (*done)(void *arg), void *arg)
{
	struct cancel *c;

	if (s->request_since == 0 || s->key.len == 0)
		return false;
	c = cancel_find(s, false);
	if (c == NULL)
		c = cancel_new(s);
	if (c == NULL)
		return false;
	/* one that was meant for the request before this one is worth nothing any more: it takes this aim */
	c->request_no = s->request_no;
	loop_arm(s->loop, &c->deadline, c->target->cancel_timeout > 0 ? c->target->cancel_timeout : CANCEL_WAIT_US);
	return cancel_wait(c, done, arg);
}

void cancel_forget(struct server *s)
{
	struct dlist *node;

	while ((node = dlist_pop_front(&s->cancels)) != NULL) {
		struct cancel *c = container_of(node, struct cancel, link);

		c->server = NULL;
		if (!cancel_is_sent(c))
			cancel_end(c);
	}
}

void cancel_tally(const struct server *s, unsigned *active, unsigned *waiting)
{
	for (const struct dlist *it = s->cancels.next; it != &s->cancels; it = it->next) {
		const struct cancel *c = container_of(it, struct cancel, link);

		*active += c->state != CANCEL_QUEUED;
		*waiting += c->state == CANCEL_QUEUED;
	}
}
