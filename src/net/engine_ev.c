/*
 * engine_ev.c - I/O by readiness, on libev.
 *
 * A system call is tried at once and a watcher is armed only when it would
 * block; an fd stays registered for reading, so the steady state makes no
 * epoll_ctl.  Reading stops at a short read; the loop is level-triggered.
 * libev hands the events of a turn out newest first: they are collected, and
 * handled in the kernel's order when all are known.
 */
#include "net/engine.h"

#include "base/clock.h"
#include "base/mem.h"
#include "net/listener.h"
#include "net/loop.h"
#include "net/ready.h"
#include "net/sock.h"
#include "net/outgo.h"
#include "net/stray.h"

#include <errno.h>
#include <ev.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define ENGINE_VECTORS 64

/* In which order libev calls back within a turn. */
enum {
	ENGINE_PRIORITY_BEGIN = EV_MAXPRI,
	ENGINE_PRIORITY_COLLECT = 1, /* conns are written down */
	ENGINE_PRIORITY_HANDLE = 0,  /* and have their turn */
	ENGINE_PRIORITY_REST = -1,   /* listeners, timer, mail */
};

struct engine_ev {
	struct ev_loop *ev;
	ev_prepare prepare;
	ev_check check, handle;
	ev_timer timer;
	ev_io wake;
	int wake_fd;
	int epoll_fd; /* libev's own; -1: not known */
	struct ready dialled, accepted;
};

struct engine_ev_conn {
	ev_io io;
	uint32_t slot; /* in dialled or accepted; 0: nothing has happened */
};

_Static_assert(sizeof(struct engine_ev) <= LOOP_ENGINE_SIZE, "LOOP_ENGINE_SIZE");
_Static_assert(sizeof(struct engine_ev_conn) <= CONN_ENGINE_SIZE, "CONN_ENGINE_SIZE");
_Static_assert(sizeof(ev_io) <= LISTENER_ENGINE_SIZE, "LISTENER_ENGINE_SIZE");

static struct engine_ev *engine_ev_of(struct loop *loop)
{
	return (void *)loop->engine_state;
}

static struct engine_ev_conn *engine_ev_conn_of(struct conn *c)
{
	return (void *)c->engine;
}

static ev_io *engine_ev_io(struct conn *c)
{
	return &engine_ev_conn_of(c)->io;
}

static struct ready *engine_ev_ready(struct conn *c)
{
	struct engine_ev *e = engine_ev_of(c->loop);

	return c->is_dialled ? &e->dialled : &e->accepted;
}

static void engine_ev_on_prepare(struct ev_loop *ev, ev_prepare *w FX_UNUSED, int events FX_UNUSED)
{
	loop_turn_end(ev_userdata(ev));
}

static void engine_ev_on_check(struct ev_loop *ev, ev_check *w FX_UNUSED, int events FX_UNUSED)
{
	loop_turn_begin(ev_userdata(ev));
}

/* the deadlines themselves run in loop_turn_end */
static void engine_ev_on_timer(struct ev_loop *ev, ev_timer *w FX_UNUSED, int events FX_UNUSED)
{
	((struct loop *)ev_userdata(ev))->timer_due = 0;
}

static void engine_ev_on_wake(struct ev_loop *ev FX_UNUSED, ev_io *w, int events FX_UNUSED)
{
	uint64_t count;
	ssize_t got;

	/* the mail itself is delivered in loop_turn_end */
	do
		got = read(w->fd, &count, sizeof(count));
	while (got < 0 && errno == EINTR);
}

static void engine_ev_run(struct loop *loop)
{
	ev_run(engine_ev_of(loop)->ev, 0);
}

static void engine_ev_stop(struct loop *loop)
{
	ev_break(engine_ev_of(loop)->ev, EVBREAK_ALL);
}

static void engine_ev_wake(struct loop *loop)
{
	static const uint64_t one = 1;
	ssize_t put;

	do
		put = write(engine_ev_of(loop)->wake_fd, &one, sizeof(one));
	while (put < 0 && errno == EINTR);
}

static void engine_ev_set_timer(struct loop *loop, uint64_t due)
{
	struct engine_ev *e = engine_ev_of(loop);
	uint64_t now = clock_mono_us();

	ev_timer_stop(e->ev, &e->timer);
	if (due == 0)
		return;
	/* libev's own idea of now is as old as the turn; 500 us later is never before the deadline */
	ev_timer_set(&e->timer, due > now ? (double)(due - now) / 1e6 + 0.0005 : 0., 0.);
	ev_timer_start(e->ev, &e->timer);
}

static uint64_t engine_ev_now(struct loop *loop FX_UNUSED)
{
	return clock_mono_us();
}

static void engine_ev_read(struct conn *c)
{
	size_t room;
	uint8_t *to = loop_read_room(c->loop, &room);
	size_t max = conn_read_max(c);
	struct loop *loop = c->loop;
	ssize_t n;

	if (room > max)
		room = max;
	do
		n = recv(c->fd, to, room, 0);
	while (n < 0 && errno == EINTR);
	if (n > 0) {
		conn_input(c, loop->rx, to, (size_t)n);
	} else if (n == 0) {
		conn_input_end(c, CONN_END_EOF, 0);
	} else if (errno != EAGAIN && errno != EWOULDBLOCK) {
		conn_input_end(c, CONN_END_RESET, errno);
	}
}

static void engine_ev_update(struct conn *c);

static void engine_ev_block(struct conn *c)
{
	if (!c->is_blocked) {
		c->is_blocked = true;
		engine_ev_update(c);
	}
	outgo_compact(c);
}

static void engine_ev_flush(struct conn *c)
{
	struct iovec vec[ENGINE_VECTORS];
	struct msghdr msg = {.msg_iov = vec};
	ssize_t n;

	while (c->out_bytes > 0) {
		size_t asked = 0;

		msg.msg_iovlen = (size_t)outgo_vectors(c, vec, ENGINE_VECTORS);
		if (msg.msg_iovlen == 0)
			return;
		for (size_t i = 0; i < msg.msg_iovlen; i++)
			asked += vec[i].iov_len;
		/* one piece is the rule, and send is the cheaper call */
		n = msg.msg_iovlen == 1 ? send(c->fd, vec[0].iov_base, vec[0].iov_len, MSG_NOSIGNAL)
					: sendmsg(c->fd, &msg, MSG_NOSIGNAL);
		if (n >= 0) {
			conn_output_done(c, (size_t)n);
			if ((size_t)n == asked)
				continue;
			/* a short write: asking again would only cost a call */
			engine_ev_block(c);
			return;
		}
		if (errno == EINTR)
			continue;
		if (errno == EAGAIN || errno == EWOULDBLOCK)
			engine_ev_block(c);
		else
			conn_output_failed(c, errno);
		return;
	}
	if (c->is_blocked) {
		c->is_blocked = false;
		engine_ev_update(c);
	}
}

static void engine_ev_handle(struct conn *c, int events)
{
	if (events & EV_ERROR) {
		/* libev could not watch the fd, and has stopped the watcher */
		if (c->is_connecting)
			conn_connected(c, ENOMEM);
		else
			conn_input_end(c, CONN_END_RESET, ENOMEM);
		return;
	}
	if (c->is_connecting) {
		conn_connected(c, sock_error(c->fd));
		return;
	}
	if ((events & EV_WRITE) && c->is_blocked)
		engine_ev_flush(c);
	if ((events & EV_READ) && c->is_open && conn_wants_read(c))
		engine_ev_read(c);
}

static void engine_ev_on_io(struct ev_loop *ev FX_UNUSED, ev_io *w, int events)
{
	struct conn *c = w->data;
	struct engine_ev_conn *ec = engine_ev_conn_of(c);

	ec->slot = ready_put(engine_ev_ready(c), c, events);
	if (ec->slot == 0) /* no memory: too early is better than never */
		engine_ev_handle(c, events);
}

static void engine_ev_handle_all(struct ready *r)
{
	struct conn *c;
	int events;

	while ((c = ready_next(r, &events)) != NULL) {
		engine_ev_conn_of(c)->slot = 0;
		engine_ev_handle(c, events);
	}
}

/* A server's farewell is seen before any client can ask for that server; clients come first as they came. */
static void engine_ev_on_handle(struct ev_loop *ev, ev_check *w FX_UNUSED, int events FX_UNUSED)
{
	struct engine_ev *e = engine_ev_of(ev_userdata(ev));

	((struct loop *)ev_userdata(ev))->events += e->dialled.count + e->accepted.count;
	engine_ev_handle_all(&e->dialled);
	engine_ev_handle_all(&e->accepted);
}

/* what has happened does not matter any more */
static void engine_ev_forget(struct conn *c)
{
	struct engine_ev_conn *ec = engine_ev_conn_of(c);

	ready_forget(engine_ev_ready(c), ec->slot);
	ec->slot = 0;
}

/* makes the watcher's mask what the conn wants; epoll_ctl happens before the next wait, if at all */
static void engine_ev_update(struct conn *c)
{
	ev_io *w = engine_ev_io(c);
	struct ev_loop *ev = engine_ev_of(c->loop)->ev;
	int want = 0;

	if (c->is_connecting || c->is_blocked)
		want |= EV_WRITE;
	if (!c->is_connecting && conn_wants_read(c))
		want |= EV_READ;
	c->is_stopped = (want & EV_READ) == 0 && !c->is_connecting;
	if (ev_is_active(w) && (w->events & (EV_READ | EV_WRITE)) == want)
		return;
	ev_io_stop(ev, w);
	if (want != 0) {
		/* unlike ev_io_set this lets libev see that nothing has changed in the end */
		ev_io_modify(w, want);
		ev_io_start(ev, w);
	}
}

static int engine_ev_attach(struct conn *c)
{
	ev_io *w = engine_ev_io(c);

	ev_io_init(w, engine_ev_on_io, c->fd, EV_READ);
	ev_set_priority(w, ENGINE_PRIORITY_COLLECT);
	w->data = c;
	engine_ev_conn_of(c)->slot = 0;
	engine_ev_update(c);
	return 0;
}

static void engine_ev_detach(struct conn *c)
{
	struct engine_ev *e = engine_ev_of(c->loop);

	ev_io_stop(e->ev, engine_ev_io(c));
	engine_ev_forget(c);
	/* now, and not when the next event of what is another thread's by then wakes this loop */
	if (e->epoll_fd >= 0)
		(void)epoll_ctl(e->epoll_fd, EPOLL_CTL_DEL, c->fd, NULL);
	stray_rest(c);
}

static void engine_ev_shutdown(struct conn *c)
{
	(void)shutdown(c->fd, SHUT_WR);
}

static void engine_ev_close(struct conn *c)
{
	ev_io_stop(engine_ev_of(c->loop)->ev, engine_ev_io(c));
	engine_ev_forget(c);
	close(c->fd);
}

static int engine_ev_connect(struct conn *c, const struct addr *to, const char *path)
{
	int err = sock_connect(&c->fd, to, path);

	return err != 0 ? err : engine_ev_attach(c);
}

static void engine_ev_on_listen(struct ev_loop *ev FX_UNUSED, ev_io *w, int events)
{
	if (events & EV_ERROR)
		listener_rest(w->data, ENOMEM);
	else
		listener_ready(w->data);
}

static int engine_ev_listen(struct listener *l)
{
	ev_io *w = (void *)l->engine;

	ev_io_init(w, engine_ev_on_listen, l->fd, EV_READ);
	ev_set_priority(w, ENGINE_PRIORITY_REST);
	w->data = l;
	ev_io_start(engine_ev_of(l->loop)->ev, w);
	return 0;
}

static void engine_ev_unlisten(struct listener *l)
{
	ev_io_stop(engine_ev_of(l->loop)->ev, (void *)l->engine);
}

/* Which fd libev waits on.  It leaves a stopped fd in the set until the kernel reports something for it, which is too
 * late for one that has gone to another thread: see engine_ev_detach.  There is no call that tells, but embedding a
 * loop into another one shows it. */
static int engine_ev_epoll_fd(struct ev_loop *ev)
{
	struct ev_loop *host = ev_loop_new(EVFLAG_NOENV | EVBACKEND_SELECT);
	ev_embed embed;
	int fd = -1;

	if (host == NULL)
		return -1;
	if (ev_backend(ev) == EVBACKEND_EPOLL && (ev_embeddable_backends() & EVBACKEND_EPOLL)) {
		ev_embed_init(&embed, NULL, ev);
		ev_embed_start(host, &embed);
		fd = embed.io.fd;
		ev_embed_stop(host, &embed);
	}
	ev_loop_destroy(host);
	return fd;
}

static int engine_ev_init(struct loop *loop)
{
	struct engine_ev *e = engine_ev_of(loop);

	e->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (e->wake_fd < 0)
		return -1;
	e->ev = ev_loop_new(EVFLAG_NOENV | EVBACKEND_EPOLL);
	if (e->ev == NULL) {
		close(e->wake_fd);
		return -1;
	}
	e->epoll_fd = engine_ev_epoll_fd(e->ev);
	ev_set_userdata(e->ev, loop);
	ev_prepare_init(&e->prepare, engine_ev_on_prepare);
	ev_prepare_start(e->ev, &e->prepare);
	ev_check_init(&e->check, engine_ev_on_check);
	ev_set_priority(&e->check, ENGINE_PRIORITY_BEGIN);
	ev_check_start(e->ev, &e->check);
	ev_check_init(&e->handle, engine_ev_on_handle);
	ev_set_priority(&e->handle, ENGINE_PRIORITY_HANDLE);
	ev_check_start(e->ev, &e->handle);
	ev_init(&e->timer, engine_ev_on_timer);
	ev_set_priority(&e->timer, ENGINE_PRIORITY_REST);
	ev_io_init(&e->wake, engine_ev_on_wake, e->wake_fd, EV_READ);
	ev_set_priority(&e->wake, ENGINE_PRIORITY_REST);
	ev_io_start(e->ev, &e->wake);
	ready_init(&e->dialled);
	ready_init(&e->accepted);
	return 0;
}

static void engine_ev_fini(struct loop *loop)
{
	struct engine_ev *e = engine_ev_of(loop);

	ev_loop_destroy(e->ev);
	close(e->wake_fd);
	ready_fini(&e->dialled);
	ready_fini(&e->accepted);
}

const struct engine_ops engine_ev_ops = {
	.name = "libev",
	.init = engine_ev_init,
	.fini = engine_ev_fini,
	.run = engine_ev_run,
	.stop = engine_ev_stop,
	.wake = engine_ev_wake,
	.set_timer = engine_ev_set_timer,
	.now = engine_ev_now,
	.attach = engine_ev_attach,
	.detach = engine_ev_detach,
	.interest = engine_ev_update,
	.flush = engine_ev_flush,
	.push = engine_ev_flush,
	.connect = engine_ev_connect,
	.shutdown = engine_ev_shutdown,
	.close = engine_ev_close,
	.listen = engine_ev_listen,
	.unlisten = engine_ev_unlisten,
};
