/*
 * cancel.c - a CancelRequest on its way to PostgreSQL.
 */
#include "server/cancel.h"

#include "base/log.h"
#include "base/mem.h"
#include "proto/frontend.h"

#define CANCEL_WAIT_US (UINT64_C(10) * 1000000)

struct cancel {
	struct conn conn;
	struct loop_grave grave;
	struct server *server; /* NULL: it is gone */
	struct loop_stray stray;
	struct dlist link;     /* of server->cancels */
	struct timeout deadline;
	struct target *target;
	uint64_t request_no;
	bool was_sent;
	bool is_held; /* connected; goes when what runs is the client's */
	void (*done)(void *arg);
	void *arg;
};

static void cancel_destroy(struct loop_grave *grave)
{
	struct cancel *c = container_of(grave, struct cancel, grave);

	target_unref(c->target);
	mem_free(c);
}

static void cancel_end(struct cancel *c)
{
	struct server *s = c->server;
	struct loop *loop = c->conn.loop;

	timeout_disarm(&c->deadline);
	dlist_remove(&c->stray.link);
	conn_close(&c->conn);
	if (s != NULL) {
		dlist_remove(&c->link);
		c->server = NULL;
	}
	if (c->done != NULL)
		c->done(c->arg);
	loop_defer_free(loop, &c->grave, cancel_destroy);
	/* whether the server is quiet now is looked at from the loop: whoever called us is not done with it */
	if (s != NULL)
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
	if (c->server != NULL && c->was_sent) {
		log_write(LOG_WARNING, c->target->name, "cancel request did not come to an end, server will be closed");
		c->server->is_outdated = true;
	}
	cancel_end(c);
}

static void cancel_send(struct cancel *c)
{
	struct server *s = c->server;
	struct buf out;

	c->is_held = false;
	if (s == NULL || s->request_no != c->request_no || s->request_since == 0) {
		cancel_end(c);
		return;
	}
	/* what we put before the request (settings) must not be hit: the request would run without it */
	if (expect_is_ours(&s->expect)) {
		c->is_held = true;
		return;
	}
	buf_init(&out, 0);
	if (frontend_cancel(&out, s->pid, s->key, s->key_len) == 0) {
		conn_send(&c->conn, out.data, out.len, NULL);
		c->was_sent = true;
	}
	buf_fini(&out);
	if (!c->was_sent)
		cancel_end(c);
}

static void cancel_on_connected(struct conn *conn)
{
	cancel_send(container_of(conn, struct cancel, conn));
}

static struct cancel *cancel_held(struct server *s)
{
	DLIST_EACH(it, &s->cancels) {
		struct cancel *c = container_of(it, struct cancel, link);

		if (c->is_held)
			return c;
	}
	return NULL;
}

void cancel_proceed(struct server *s)
{
	struct cancel *c;

	/* looked for anew each time: the end of one may change everything */
	while (!expect_is_ours(&s->expect) && (c = cancel_held(s)) != NULL)
		cancel_send(c);
}

static size_t cancel_on_bytes(struct conn *conn FX_UNUSED, struct chunk *chunk FX_UNUSED,
			      const uint8_t *data FX_UNUSED, size_t n)
{
	return n; /* the server never says anything; if it does, its EOF follows */
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
};

struct cancel *cancel_start(struct server *s, void (*done)(void *arg), void *arg)
{
	struct cancel *c;

	if (s->request_since == 0 || s->key_len == 0)
		return NULL;
	c = mem_try_zalloc(sizeof(*c));
	if (c == NULL)
		return NULL;
	c->server = s;
	c->target = target_ref(s->target);
	c->request_no = s->request_no;
	c->done = done;
	c->arg = arg;
	loop_stray_add(s->loop, &c->stray, cancel_on_end);
	dlist_push_back(&s->cancels, &c->link);
	timeout_init(&c->deadline, cancel_on_deadline);
	loop_arm(s->loop, &c->deadline, CANCEL_WAIT_US);
	conn_connect(&c->conn, s->loop, &s->remote, s->host->path, &cancel_conn_ops);
	return c;
}

void cancel_forget(struct server *s)
{
	struct dlist *node;

	while ((node = dlist_pop_front(&s->cancels)) != NULL) {
		struct cancel *c = container_of(node, struct cancel, link);

		c->server = NULL;
		if (c->is_held)
			cancel_end(c);
	}
}

void cancel_orphan(struct cancel *c)
{
	c->done = NULL;
}
