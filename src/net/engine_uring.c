/*
 * engine_uring.c - I/O by completion, on io_uring.
 *
 * A turn makes one system call: it submits what the turn has said, and waits.  A conn
 * has one multishot receive for as long as it is read from; what comes in floods is read
 * by readiness instead.  Completions are written down first and handled then, those of
 * dialled conns before those of accepted ones: see engine_ev.c for the reason.
 */
#include "net/engine_uring.h"

#include "base/clock.h"
#include "base/mem.h"
#include "net/listener.h"
#include "net/sock.h"
#include "net/stray.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define ENGINE_PORTION 20
#define ENGINE_PORTIONS 64

_Static_assert(sizeof(struct engine_uring *) <= LOOP_ENGINE_SIZE, "LOOP_ENGINE_SIZE");
_Static_assert(sizeof(struct flight *) <= CONN_ENGINE_SIZE, "CONN_ENGINE_SIZE");
_Static_assert(sizeof(struct flight *) <= LISTENER_ENGINE_SIZE, "LISTENER_ENGINE_SIZE");

static void engine_uring_set_flight(struct conn *c, struct flight *f)
{
	*(struct flight **)(void *)c->engine = f;
}

static struct flight **engine_uring_door(struct listener *l)
{
	return (void *)l->engine;
}

bool engine_uring_is_live(struct engine_uring *e)
{
	if (e->u.is_open && !e->u.is_begun)
		uring_begin(&e->u);
	return e->u.is_open;
}

void engine_uring_change(struct engine_uring *e, struct flight *f)
{
	if (f->is_changed)
		return;
	f->is_changed = true;
	f->next_changed = NULL;
	if (e->changed != NULL)
		e->changed_last->next_changed = f;
	else
		e->changed = f;
	e->changed_last = f;
	flight_ref(f);
}

static void engine_uring_handle_eager(struct engine_uring *e)
{
	struct flight *f = e->eager, *next;

	e->eager = NULL;
	for (; f != NULL; f = next) {
		next = f->next_eager;
		inflow_eager(f);
		if (f->conn != NULL)
			engine_uring_change(e, f);
		flight_unref(&e->flights, f);
	}
}

/* Before the kernel is asked: what it is to do. */

static void engine_uring_want_read(struct engine_uring *e, struct flight *f, struct conn *c)
{
	bool has_recv = flight_has(f, FLIGHT_RECV);

	if (inflow_is_eager(f)) {
		f->next_eager = NULL;
		if (e->eager != NULL)
			e->eager_last->next_eager = f;
		else
			e->eager = f;
		e->eager_last = f;
		flight_ref(f);
	} else if (!conn_wants_read(c) || f->is_stream) {
		if (has_recv)
			flight_cancel(&e->u, f, FLIGHT_RECV);
		else if (conn_wants_read(c) && !flight_has(f, FLIGHT_IN))
			flight_arm(&e->flights, &e->u, f, FLIGHT_IN, c->fd);
	} else if (!has_recv && !flight_has(f, FLIGHT_IN)) {
		flight_arm(&e->flights, &e->u, f, FLIGHT_RECV, c->fd);
	}
}

static void engine_uring_settle(struct engine_uring *e)
{
	struct flight *f = e->changed, *next;

	e->changed = NULL;
	for (; f != NULL; f = next) {
		struct conn *c = f->conn;

		next = f->next_changed;
		f->is_changed = false;
		if (c != NULL) {
			if (!c->is_connecting)
				engine_uring_want_read(e, f, c);
			if (!c->is_connecting && !f->is_hung_up && !flight_has(f, FLIGHT_HUP))
				flight_arm(&e->flights, &e->u, f, FLIGHT_HUP, c->fd);
			if ((c->is_connecting || c->is_blocked) && !flight_has(f, FLIGHT_OUT))
				flight_arm(&e->flights, &e->u, f, FLIGHT_OUT, c->fd);
		} else if (f->listener != NULL && !flight_has(f, FLIGHT_DOOR)) {
			flight_arm(&e->flights, &e->u, f, FLIGHT_DOOR, f->listener->fd);
		}
		flight_unref(&e->flights, f);
	}
	bufring_fill(&e->u.buffers);
	if (!e->is_wake_armed) {
		struct io_uring_sqe *sqe = uring_entry(&e->u);

		io_uring_prep_poll_multishot(sqe, e->wake_fd, POLLIN);
		io_uring_sqe_set_data64(sqe, FLIGHT_WAKE);
		e->is_wake_armed = true;
	}
}

static bool engine_uring_has_work(const struct engine_uring *e)
{
	return e->eager != NULL || e->dialled.count + e->accepted.count + e->doors.count > 0 || outflow_is_awaited(e);
}

static void engine_uring_wait(struct loop *loop, struct engine_uring *e)
{
	uint64_t us = UINT64_MAX;

	if (engine_uring_has_work(e)) {
		uring_submit_and_fetch(&e->u);
		return;
	}
	/* counted from the turn's beginning and waited from its end: late rather than early */
	if (loop->timer_due != 0)
		us = loop->timer_due > loop->now ? loop->timer_due - loop->now : 0;
	if (!uring_submit_and_wait(&e->u, us))
		loop->timer_due = 0;
}

/* The end of all that is in the kernel.  Conns that are still open stay so, but nothing comes from them any more. */
static void engine_uring_finish(struct engine_uring *e)
{
	struct io_uring_sqe *sqe = uring_entry(&e->u);

	io_uring_prep_cancel64(sqe, 0, IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL);
	io_uring_sqe_set_data64(sqe, FLIGHT_NONE);
	do {
		uring_submit_and_fetch(&e->u);
		(void)uringevent_collect(e);
		outflow_resolve(e);
		uringevent_forget(e);
	} while (e->flights.armed > 0);
	uring_end(&e->u);
	e->is_wake_armed = false;
}

/* All that has happened, so that the order of a turn holds: the kernel hands out no more than twenty at a time.  But no more
 * of a flood than one helping.  After a sleep it hands out one alone, and the rest in the next turn: asking for more at once
 * would cost more than it saves, and they come in the order in which they happened in any case. */
static void engine_uring_collect(struct engine_uring *e)
{
	unsigned n;

	e->fulls = 0;
	n = uringevent_collect(e);
	for (int i = 0; n >= ENGINE_PORTION && e->fulls < ENGINE_PORTION / 2 && i < ENGINE_PORTIONS; i++) {
		bufring_fill(&e->u.buffers);
		uring_submit_and_fetch(&e->u);
		n = uringevent_collect(e);
	}
}

static void engine_uring_run(struct loop *loop)
{
	struct engine_uring *e = engine_uring_of(loop);
	char error[256];

	if (!e->u.is_open)
		CHECK(uring_init(&e->u, &e->chunks, error, sizeof(error)) == 0);
	(void)engine_uring_is_live(e);
	e->must_stop = false;
	for (;;) {
		loop_turn_end(loop);
		engine_uring_settle(e);
		if (e->must_stop)
			break;
		engine_uring_wait(loop, e);
		loop_turn_begin(loop);
		engine_uring_collect(e);
		outflow_resolve(e);
		engine_uring_handle_eager(e);
		uringevent_handle(e);
	}
	/* what the last turn has said */
	uring_submit(&e->u);
	(void)uringevent_collect(e);
	outflow_resolve(e);
	if (loop->stopping)
		engine_uring_finish(e);
}

static void engine_uring_stop(struct loop *loop)
{
	engine_uring_of(loop)->must_stop = true;
}

static void engine_uring_wake(struct loop *loop)
{
	static const uint64_t one = 1;
	ssize_t put;

	/* never read: each write is an event, and it takes ages to fill 64 bits */
	do
		put = write(engine_uring_of(loop)->wake_fd, &one, sizeof(one));
	while (put < 0 && errno == EINTR);
}

/* the wait looks at loop->timer_due */
static void engine_uring_set_timer(struct loop *loop FX_UNUSED, uint64_t due FX_UNUSED)
{
}

static uint64_t engine_uring_now(struct loop *loop FX_UNUSED)
{
	return clock_mono_us();
}

static int engine_uring_attach(struct conn *c)
{
	struct engine_uring *e = engine_uring_of(c->loop);
	struct flight *f = flight_new(&e->flights);

	engine_uring_set_flight(c, f);
	if (f == NULL)
		return -1;
	f->conn = c;
	f->is_dialled = c->is_dialled;
	engine_uring_change(e, f);
	return 0;
}

static void engine_uring_interest(struct conn *c)
{
	c->is_stopped = !c->is_connecting && !conn_wants_read(c);
	engine_uring_change(engine_uring_of(c->loop), engine_uring_flight(c));
}

static void engine_uring_leave(struct engine_uring *e, struct conn *c, struct flight *f)
{
	f->conn = NULL;
	engine_uring_set_flight(c, NULL);
	flight_unref(&e->flights, f);
}

static void engine_uring_detach(struct conn *c)
{
	struct engine_uring *e = engine_uring_of(c->loop);
	struct flight *f = engine_uring_flight(c);

	flight_cancel_all(&e->u, f);
	uringevent_take_back(e, f);
	/* from then on nothing is taken from it any more */
	while (flight_has(f, FLIGHT_RECV)) {
		uring_submit_and_fetch(&e->u);
		(void)uringevent_collect(e);
		uringevent_take_back(e, f);
	}
	inflow_leave(f);
	stray_rest(c);
	engine_uring_leave(e, c, f);
}

static void engine_uring_shutdown(struct conn *c)
{
	(void)shutdown(c->fd, SHUT_WR);
}

static void engine_uring_close(struct conn *c)
{
	struct engine_uring *e = engine_uring_of(c->loop);
	struct flight *f = engine_uring_flight(c);

	if (f == NULL || !e->u.is_begun) {
		close(c->fd);
	} else {
		struct io_uring_sqe *sqe;

		/* the kernel does this in order, so what was sent goes before */
		flight_cancel_all(&e->u, f);
		sqe = uring_entry(&e->u);
		io_uring_prep_close(sqe, c->fd);
		io_uring_sqe_set_flags(sqe, IOSQE_CQE_SKIP_SUCCESS);
		io_uring_sqe_set_data64(sqe, FLIGHT_NONE);
	}
	if (f == NULL)
		return;
	outflow_close(c);
	flight_drop_held(f);
	engine_uring_leave(e, c, f);
}

static int engine_uring_connect(struct conn *c, const struct addr *to, const char *path)
{
	int err = sock_connect(&c->fd, to, path);

	if (err != 0)
		return err;
	if (engine_uring_attach(c) == 0)
		return 0;
	close(c->fd);
	c->fd = -1;
	return ENOMEM;
}

static int engine_uring_listen(struct listener *l)
{
	struct engine_uring *e = engine_uring_of(l->loop);
	struct flight *f = flight_new(&e->flights);

	*engine_uring_door(l) = f;
	if (f == NULL)
		return -1;
	f->listener = l;
	engine_uring_change(e, f);
	return 0;
}

static void engine_uring_unlisten(struct listener *l)
{
	struct engine_uring *e = engine_uring_of(l->loop);
	struct flight *f = *engine_uring_door(l);

	if (e->u.is_begun)
		flight_cancel_all(&e->u, f);
	f->listener = NULL;
	flight_unref(&e->flights, f);
}

static int engine_uring_init(struct loop *loop)
{
	struct engine_uring *e = mem_zalloc(sizeof(*e));
	char error[256];
	int err;

	*(struct engine_uring **)(void *)loop->engine_state = e;
	e->loop = loop;
	chunk_pool_init(&e->chunks, BUFRING_SIZE, BUFRING_MAX);
	e->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (e->wake_fd >= 0 && uring_init(&e->u, &e->chunks, error, sizeof(error)) == 0)
		return 0;
	err = errno;
	if (e->wake_fd >= 0)
		close(e->wake_fd);
	chunk_pool_fini(&e->chunks);
	mem_free(e);
	errno = err;
	return -1;
}

static void engine_uring_fini(struct loop *loop)
{
	struct engine_uring *e = engine_uring_of(loop);

	if (e->u.is_open && e->u.is_begun)
		engine_uring_finish(e);
	uring_end(&e->u);
	while (e->changed != NULL) {
		struct flight *f = e->changed;

		e->changed = f->next_changed;
		flight_unref(&e->flights, f);
	}
	flight_pool_fini(&e->flights);
	chunk_pool_fini(&e->chunks);
	close(e->wake_fd);
	mem_free(e->dialled.event);
	mem_free(e->accepted.event);
	mem_free(e->doors.event);
	mem_free(e);
}

const struct engine_ops engine_uring_ops = {
	.name = "io_uring",
	.init = engine_uring_init,
	.fini = engine_uring_fini,
	.run = engine_uring_run,
	.stop = engine_uring_stop,
	.wake = engine_uring_wake,
	.set_timer = engine_uring_set_timer,
	.now = engine_uring_now,
	.attach = engine_uring_attach,
	.detach = engine_uring_detach,
	.interest = engine_uring_interest,
	.flush = outflow_flush,
	.push = outflow_push,
	.connect = engine_uring_connect,
	.shutdown = engine_uring_shutdown,
	.close = engine_uring_close,
	.listen = engine_uring_listen,
	.unlisten = engine_uring_unlisten,
};
