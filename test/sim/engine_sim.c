/*
 * engine_sim.c - fake I/O for conns, in fake time.
 */
#include "engine_sim.h"

#include "net/loop.h"
#include "net/outgo.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#define ENGINE_FDS 512
#define ENGINE_VECTORS 16

struct engine_job {
	struct engine_job *next;
	struct nsock *sock;
	void (*offer)(struct loop *loop, int fd);
	void (*call)(struct loop *loop, void *arg);
	void *arg;
};

struct engine_sim {
	struct loop *loop;
	struct sim_event turn;
	struct sim_event timer;
	bool is_timer_due;
	bool is_in_turn;
	struct engine_job *jobs, **jobs_tail;
	int *fds; /* attached */
	unsigned count;
};

_Static_assert(sizeof(struct engine_sim) <= LOOP_ENGINE_SIZE, "LOOP_ENGINE_SIZE");

struct nsock *(*engine_sim_dial)(const struct addr *to, const char *path, int *err);
void (*engine_sim_after_turn)(struct loop *loop);

static struct engine_sim *engine_sim_of(struct loop *loop)
{
	return (void *)loop->engine_state;
}

static struct nsock *engine_sim_sock(const struct conn *c)
{
	struct nsock *s = net_sim_by_fd(c->fd);

	if (s == NULL || !s->is_open)
		sim_fail("an operation on fd %d, which is not open", c->fd);
	return s;
}

/* one thread owns an object at a time */
static void engine_sim_check_thread(const struct loop *loop, const char *what)
{
	if (sim.current != loop && !sim.in_setup)
		sim_fail("%s on loop %u from %s", what, loop->index,
			 sim.current != NULL ? "another loop's turn" : "outside of every turn");
}

static void engine_sim_wish(struct engine_sim *e)
{
	if (!sim_is_queued(&e->turn) && !e->is_in_turn)
		sim_after(&e->turn, 1 + sim_rnd(sim.weather.turn_delay_us + 1));
}

static bool engine_sim_is_ready(const struct nsock *s)
{
	const struct conn *c = s->conn;

	if (c == NULL)
		return false;
	if (c->is_connecting)
		return s->connect_err >= 0;
	if (c->is_blocked && (net_sim_room(s) > 0 || s->is_reset || s->peer->is_deaf))
		return true;
	return conn_wants_read(c) && net_sim_is_readable(s);
}

static void engine_sim_on_ready(struct nsock *s)
{
	if (s->conn != NULL && engine_sim_is_ready(s))
		engine_sim_wish(engine_sim_of(s->conn->loop));
}

static void engine_sim_read(struct nsock *s, struct conn *c)
{
	struct loop *loop = c->loop;
	size_t room;
	uint8_t *to = loop_read_room(loop, &room);
	uint32_t n = sim_one_in(4) ? 1 + sim_rnd(8) : 1 + sim_rnd(sim.weather.max_read);

	if (room > conn_read_max(c))
		room = conn_read_max(c);
	if (n > room)
		n = (uint32_t)room;
	n = net_sim_read(s, to, n);
	if (sim.is_verbose)
		sim_trace("loop %u reads %u from %s %d: %c", c->loop->index, n, s->peer->name, s->fd, n > 0 ? *to : ' ');
	if (n > 0) {
		conn_input(c, loop->rx, to, n);
	} else if (s->is_reset) {
		conn_input_end(c, CONN_END_RESET, ECONNRESET);
	} else if (s->is_eof) {
		conn_input_end(c, CONN_END_EOF, 0);
	}
}

static void engine_sim_update(struct conn *c)
{
	struct nsock *s = engine_sim_sock(c);

	engine_sim_check_thread(c->loop, "interest");
	c->is_stopped = !conn_wants_read(c) && !c->is_connecting;
	if (engine_sim_is_ready(s))
		engine_sim_wish(engine_sim_of(c->loop));
}

static void engine_sim_flush(struct conn *c)
{
	struct nsock *s = engine_sim_sock(c);

	engine_sim_check_thread(c->loop, "flush");
	while (c->is_open && c->out_bytes > 0) {
		struct iovec vec[ENGINE_VECTORS];
		int n = outgo_vectors(c, vec, ENGINE_VECTORS), put = 0;

		for (int i = 0; i < n; i++) {
			uint32_t len = (uint32_t)vec[i].iov_len;
			int done;

			if (len > 1 && sim_one_in(4))
				len = 1 + sim_rnd(len);
			done = net_sim_write(s, vec[i].iov_base, len);
			if (done < 0) {
				conn_output_failed(c, sim_one_in(2) ? EPIPE : ECONNRESET);
				return;
			}
			if (sim.is_verbose && done > 0)
				sim_trace("loop %u writes %d of %zu to %s %d: %c", c->loop->index, done, c->out_bytes,
					  s->peer->name, s->fd, *(const char *)vec[i].iov_base);
			put += done;
			if ((size_t)done < vec[i].iov_len)
				break;
		}
		if (put > 0) {
			conn_output_done(c, (size_t)put);
			continue;
		}
		c->is_blocked = true;
		engine_sim_update(c);
		outgo_compact(c);
		return;
	}
	if (c->is_open && c->is_blocked) {
		c->is_blocked = false;
		engine_sim_update(c);
	}
}

static void engine_sim_serve(int fd)
{
	struct nsock *s = net_sim_by_fd(fd);
	struct conn *c;

	if (s == NULL || !s->is_open || s->conn == NULL || !engine_sim_is_ready(s))
		return;
	c = s->conn;
	if (c->is_connecting) {
		s->is_connecting = false;
		conn_connected(c, s->connect_err);
		return;
	}
	if (c->is_blocked && (net_sim_room(s) > 0 || s->is_reset || s->peer->is_deaf))
		engine_sim_flush(c);
	s = net_sim_by_fd(fd);
	if (s != NULL && s->is_open && s->conn == c && c->is_open && conn_wants_read(c) && net_sim_is_readable(s))
		engine_sim_read(s, c);
}

static void engine_sim_jobs(struct loop *loop, struct engine_sim *e)
{
	while (e->jobs != NULL) {
		struct engine_job *job = e->jobs;

		e->jobs = job->next;
		if (e->jobs == NULL)
			e->jobs_tail = &e->jobs;
		if (job->offer != NULL) {
			job->sock->on_ready = NULL;
			job->offer(loop, job->sock->fd);
		} else {
			job->call(loop, job->arg);
		}
		free(job);
	}
}

static void engine_sim_io(struct engine_sim *e)
{
	int ready[ENGINE_FDS];
	unsigned n = 0;

	for (unsigned i = 0; i < e->count; i++)
		if (engine_sim_is_ready(net_sim_by_fd(e->fds[i])))
			ready[n++] = e->fds[i];
	while (n > 0) {
		unsigned i = sim_rnd(n);

		/* the kernel need not tell of everything at once */
		if (!sim_one_in(8))
			engine_sim_serve(ready[i]);
		ready[i] = ready[--n];
	}
}

static bool engine_sim_has_work(struct engine_sim *e)
{
	if (e->is_timer_due || e->jobs != NULL || !mailbox_is_empty(&e->loop->mailbox))
		return true;
	for (unsigned i = 0; i < e->count; i++)
		if (engine_sim_is_ready(net_sim_by_fd(e->fds[i])))
			return true;
	return false;
}

static void engine_sim_on_turn(struct sim_event *event)
{
	struct engine_sim *e = container_of(event, struct engine_sim, turn);
	struct loop *loop = e->loop;

	sim.current = loop;
	e->is_in_turn = true;
	loop_turn_begin(loop);
	if (e->is_timer_due) {
		e->is_timer_due = false;
		loop->timer_due = 0;
	}
	if (sim_one_in(2)) {
		engine_sim_jobs(loop, e);
		engine_sim_io(e);
	} else {
		engine_sim_io(e);
		engine_sim_jobs(loop, e);
	}
	loop_turn_end(loop);
	if (engine_sim_after_turn != NULL)
		engine_sim_after_turn(loop);
	e->is_in_turn = false;
	sim.current = NULL;
	if (engine_sim_has_work(e))
		engine_sim_wish(e);
}

static void engine_sim_on_timer(struct sim_event *event)
{
	struct engine_sim *e = container_of(event, struct engine_sim, timer);

	e->is_timer_due = true;
	engine_sim_wish(e);
}

static int engine_sim_init(struct loop *loop)
{
	struct engine_sim *e = engine_sim_of(loop);

	memset(e, 0, sizeof(*e));
	e->loop = loop;
	e->turn.fire = engine_sim_on_turn;
	e->timer.fire = engine_sim_on_timer;
	e->timer.is_background = true;
	e->jobs_tail = &e->jobs;
	e->fds = calloc(ENGINE_FDS, sizeof(int));
	CHECK(e->fds != NULL);
	return 0;
}

static void engine_sim_fini(struct loop *loop)
{
	struct engine_sim *e = engine_sim_of(loop);

	sim_cancel(&e->turn);
	sim_cancel(&e->timer);
	while (e->jobs != NULL) {
		struct engine_job *job = e->jobs;

		e->jobs = job->next;
		free(job);
	}
	free(e->fds);
}

static void engine_sim_run(struct loop *loop)
{
	sim_fail("loop_run of loop %u: the simulator runs the turns", loop->index);
}

static void engine_sim_stop(struct loop *loop FX_UNUSED)
{
}

static void engine_sim_wake(struct loop *loop)
{
	engine_sim_wish(engine_sim_of(loop));
}

static void engine_sim_set_timer(struct loop *loop, uint64_t due)
{
	struct engine_sim *e = engine_sim_of(loop);

	engine_sim_check_thread(loop, "set_timer");
	if (due == 0)
		sim_cancel(&e->timer);
	else
		sim_at(&e->timer, due + sim_rnd(1000));
}

static uint64_t engine_sim_now(struct loop *loop FX_UNUSED)
{
	return sim.now;
}

static int engine_sim_attach(struct conn *c)
{
	struct nsock *s = engine_sim_sock(c);
	struct engine_sim *e = engine_sim_of(c->loop);

	engine_sim_check_thread(c->loop, "attach");
	/* not for one that changes loops: it would be closed without a farewell, and limits could not be exact */
	if (c->written == 0 && !c->is_connecting && sim.starve_one_in > 0 && sim_one_in(sim.starve_one_in))
		return -1;
	if (s->conn != NULL)
		sim_fail("fd %d is attached twice", c->fd);
	CHECK(e->count < ENGINE_FDS);
	e->fds[e->count++] = c->fd;
	s->conn = c;
	s->on_ready = engine_sim_on_ready;
	engine_sim_update(c);
	return 0;
}

static void engine_sim_detach(struct conn *c)
{
	struct nsock *s = engine_sim_sock(c);
	struct engine_sim *e = engine_sim_of(c->loop);

	engine_sim_check_thread(c->loop, "detach");
	if (s->conn != c)
		sim_fail("fd %d is detached by a stranger", c->fd);
	s->conn = NULL;
	s->on_ready = NULL;
	for (unsigned i = 0; i < e->count; i++)
		if (e->fds[i] == c->fd) {
			memmove(e->fds + i, e->fds + i + 1, (e->count - i - 1) * sizeof(int));
			e->count--;
			return;
		}
	sim_fail("fd %d is not on loop %u", c->fd, c->loop->index);
}

static void engine_sim_shutdown(struct conn *c)
{
	engine_sim_check_thread(c->loop, "shutdown");
	net_sim_shutdown(engine_sim_sock(c));
}

static void engine_sim_close(struct conn *c)
{
	struct nsock *s = engine_sim_sock(c);

	/* not attached: the engine could not take it */
	if (s->conn != NULL)
		engine_sim_detach(c);
	net_sim_close(s);
}

static int engine_sim_connect(struct conn *c, const struct addr *to, const char *path)
{
	struct nsock *s;
	int err = 0;

	engine_sim_check_thread(c->loop, "connect");
	if (sim.starve_one_in > 0 && sim_one_in(sim.starve_one_in))
		return EMFILE;
	s = engine_sim_dial(to, path, &err);
	if (s == NULL)
		return err;
	s->is_connecting = true;
	c->fd = s->fd;
	return engine_sim_attach(c);
}

/* the one place of the house that closes an fd which no conn has */
void __wrap_listener_refuse(int fd);

void __wrap_listener_refuse(int fd)
{
	net_sim_abort(net_sim_by_fd(fd));
}

static int engine_sim_listen(struct listener *l FX_UNUSED)
{
	sim_fail("listen: connections are offered to workers directly");
}

static void engine_sim_unlisten(struct listener *l FX_UNUSED)
{
}

static void engine_sim_job(struct loop *loop, struct engine_job job)
{
	struct engine_sim *e = engine_sim_of(loop);
	struct engine_job *j = malloc(sizeof(*j));

	CHECK(j != NULL);
	*j = job;
	*e->jobs_tail = j;
	e->jobs_tail = &j->next;
	engine_sim_wish(e);
}

void engine_sim_offer(struct loop *loop, struct nsock *s, void (*fn)(struct loop *loop, int fd))
{
	engine_sim_job(loop, (struct engine_job){.sock = s, .offer = fn});
}

void engine_sim_call(struct loop *loop, void (*fn)(struct loop *loop, void *arg), void *arg)
{
	engine_sim_job(loop, (struct engine_job){.call = fn, .arg = arg});
}

void engine_sim_begin(struct loop *loop)
{
	engine_sim_wish(engine_sim_of(loop));
}

const struct engine_ops engine_sim_ops = {
	.name = "simulator",
	.init = engine_sim_init,
	.fini = engine_sim_fini,
	.run = engine_sim_run,
	.stop = engine_sim_stop,
	.wake = engine_sim_wake,
	.set_timer = engine_sim_set_timer,
	.now = engine_sim_now,
	.attach = engine_sim_attach,
	.detach = engine_sim_detach,
	.interest = engine_sim_update,
	.flush = engine_sim_flush,
	.push = engine_sim_flush,
	.connect = engine_sim_connect,
	.shutdown = engine_sim_shutdown,
	.close = engine_sim_close,
	.listen = engine_sim_listen,
	.unlisten = engine_sim_unlisten,
};
