/*
 * worker.c - everything one worker thread owns.
 *
 * Made and ended by app (or the simulator); runs inside loop_run.
 */
#include "session/worker.h"

#include "base/log.h"
#include "base/mem.h"
#include "server/stmt.h"
#include "session/canon.h"
#include "session/deadline.h"
#include "session/desk.h"
#include "session/porch.h"
#include "session/replica.h"
#include "session/userask.h"
#include "session/watch.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define WORKER_DRIFT 1 /* clients more than the least loaded worker has, before it gets the next one */
#define WORKER_LONG_TURN_QUIET_US UINT64_C(10000000) /* between two lines about long turns */

/* One line a while is enough: a machine without a core to spare would cause one a turn. */
static void worker_on_long_turn(struct loop *loop, const struct longturn *turn)
{
	struct worker *w = worker_of(loop);
	char others[64] = "";

	if (w->long_turn_told != 0 && loop_now(loop) - w->long_turn_told < WORKER_LONG_TURN_QUIET_US) {
		w->long_turns_untold++;
		return;
	}
	if (w->long_turns_untold > 0)
		snprintf(others, sizeof(others), " (%u more such turns since the last line)", w->long_turns_untold);
	log_write(LOG_WARNING, NULL, "worker %u was busy for %" PRIu64 " ms with %u events, all its connections waited%s",
		  loop->index, turn->us / 1000, turn->events, others);
	w->long_turn_told = loop_now(loop);
	w->long_turns_untold = 0;
}

int worker_init(struct worker *w, const struct engine_ops *engine, struct hub *hub, unsigned index, struct worker **all,
		struct conf *conf, const struct worker_console *console)
{
	memset(w, 0, sizeof(*w));
	if (loop_init(&w->loop, engine, index, w) < 0)
		return -1;
	hub->loops[index] = &w->loop;
	w->loop.longturns.on_long = worker_on_long_turn;
	longturn_set_period(&w->loop.longturns, conf->set.stats_period);
	w->all = all;
	w->console = console;
	dlist_init(&w->clients);
	dlist_init(&w->silent);
	dlist_init(&w->asks);
	dlist_init(&w->asks_riding);
	slots_init(&w->handles);
	/* the same for all workers: a server takes its hash along when it moves */
	memcpy(w->vars_seed, hub->process_key, sizeof(w->vars_seed));
	hash_map_init(&w->spellings);
	keyring_init(&w->keyring);
	home_init(&w->home, &w->loop, hub, index, conf);
	stmt_store_limit(hub->statements, (size_t)conf->set.max_statement_memory);
	w->home.owner = w;
	watch_start(w);
	return 0;
}

static void worker_drop_servers(struct dlist *list)
{
	struct dlist *node;

	while ((node = dlist_first(list)) != NULL) {
		struct server *s = container_of(node, struct server, link);

		server_close(s, SERVER_END_SHUTDOWN);
		if (s->state == SERVER_CLOSING) {
			conn_flush(&s->conn);
			server_lost(s, SERVER_END_SHUTDOWN);
		}
	}
}

void worker_empty(struct worker *w)
{
	struct dlist *node;

	w->is_closing = w->is_draining = true;
	atomic_store(&w->home.hub->is_draining, true);
	while ((node = dlist_first(&w->clients)) != NULL)
		client_close(container_of(node, struct client, link), CLIENT_END_SHUTDOWN);
	userask_end_all(w);
	DLIST_EACH(it, &w->home.pools) {
		struct pool *pool = container_of(it, struct pool, link);

		worker_drop_servers(&pool->opening);
		worker_drop_servers(&pool->idle);
		worker_drop_servers(&pool->active);
		worker_drop_servers(&pool->busy);
		worker_drop_servers(&pool->closing);
	}
	derive_end(&w->home.derive);
	loop_end_strays(&w->loop);
}

void worker_fini(struct worker *w)
{
	timeout_disarm(&w->watch);
	canon_fini(w);
	gate_fini(&w->gate);
	hash_map_fini(&w->spellings);
	home_fini(&w->home);
	slots_fini(&w->handles);
	keyring_fini(&w->keyring);
	while (w->spare_count > 0)
		buf_fini(&w->spares[--w->spare_count]);
	loop_fini(&w->loop);
}

struct worker_arrival {
	struct mail mail;
	int fd;
	struct addr peer;
	uint16_t place;
	enum hub_answer answer;
};

static void worker_on_arrival(struct loop *loop, struct mail *mail)
{
	struct worker_arrival *a = container_of(mail, struct worker_arrival, mail);

	client_new(worker_of(loop), a->fd, &a->peer, a->place, a->answer);
	mem_free(a);
}

static struct worker *worker_least_loaded(struct worker *acceptor)
{
	unsigned n = acceptor->home.hub->workers;
	struct worker *best = acceptor;
	unsigned least = atomic_load_explicit(&best->load, memory_order_relaxed);

	for (unsigned i = 0; i < n; i++) {
		struct worker *w = acceptor->all[i];
		unsigned load = atomic_load_explicit(&w->load, memory_order_relaxed);

		if (load + WORKER_DRIFT <= least) {
			best = w;
			least = load;
		}
	}
	return best;
}

void worker_accept(struct worker *acceptor, int fd, const struct addr *peer)
{
	struct worker_arrival *a;
	enum hub_answer answer;
	struct worker *w;
	uint16_t place;

	if (!porch_enter(acceptor, fd, peer, &place, &answer))
		return;
	w = worker_least_loaded(acceptor);
	atomic_fetch_add_explicit(&w->load, 1, memory_order_relaxed);
	if (w == acceptor) {
		client_new(w, fd, peer, place, answer);
		return;
	}
	a = mem_alloc(sizeof(*a));
	*a = (struct worker_arrival){.fd = fd, .peer = *peer, .place = place, .answer = answer};
	loop_post(&w->loop, &a->mail, worker_on_arrival);
}

struct worker_errand {
	struct mail mail;
	void (*fn)(struct worker *w, void *arg);
	void *arg;
};

static void worker_on_errand(struct loop *loop, struct mail *mail)
{
	struct worker_errand *e = container_of(mail, struct worker_errand, mail);

	e->fn(worker_of(loop), e->arg);
	mem_free(e);
}

void worker_call(struct worker *w, void (*fn)(struct worker *w, void *arg), void *arg)
{
	struct worker_errand *e = mem_alloc(sizeof(*e));

	*e = (struct worker_errand){.fn = fn, .arg = arg};
	loop_post(&w->loop, &e->mail, worker_on_errand);
}

void worker_answer(struct worker *w, uint64_t handle, const void *bytes, size_t n, bool close)
{
	struct client *c = worker_client(w, handle);

	if (c == NULL || c->state != CLIENT_COMMAND)
		return;
	conn_send(&c->conn, bytes, n, NULL);
	client_enter(c, CLIENT_CONSOLE);
	if (close) {
		client_finish(c, CLIENT_END_QUIT);
		return;
	}
	conn_resume(&c->conn);
	desk_pump(c);
}

static void worker_reload_client(struct client *c, struct conf *conf)
{
	const struct conf_database *db;

	if (c->owns_limits) {
		db = conf_find_database(conf, identity_database(c->identity));
		if (db != NULL)
			conf_resolve(conf, db, identity_user(c->identity), c->limits);
		if (c->replication != 0)
			replica_limits(c->limits);
	}
	deadline_rearm(c);
}

void worker_reload(struct worker *w, struct conf *conf)
{
	home_reload(&w->home, conf);
	longturn_set_period(&w->loop.longturns, conf->set.stats_period);
	stmt_store_limit(w->home.hub->statements, (size_t)conf->set.max_statement_memory);
	DLIST_EACH(it, &w->clients)
		worker_reload_client(container_of(it, struct client, link), conf);
}

void worker_dismiss_waiting(struct worker *w)
{
	DLIST_EACH(it, &w->clients) {
		struct client *c = container_of(it, struct client, link);

		if (c->state == CLIENT_WAITING || c->state == CLIENT_WELCOME || c->state == CLIENT_ATTACHING)
			client_fail(c, CLIENT_END_SHUTDOWN, NULL);
	}
}

struct client *worker_client(struct worker *w, uint64_t handle)
{
	return slots_get(&w->handles, handle);
}

struct client *worker_find_client_id(struct worker *w, uint64_t id)
{
	DLIST_EACH(it, &w->clients) {
		struct client *c = container_of(it, struct client, link);

		if (c->id == id)
			return c;
	}
	return NULL;
}

static struct server *worker_find_in(struct dlist *list, uint64_t id, uint32_t pid)
{
	DLIST_EACH(it, list) {
		struct server *s = container_of(it, struct server, link);

		if ((id != 0 && s->id == id) || (pid != 0 && s->pid == pid))
			return s;
	}
	return NULL;
}

struct server *worker_find_server(struct worker *w, uint64_t id, uint32_t pid)
{
	DLIST_EACH(it, &w->home.pools) {
		struct pool *pool = container_of(it, struct pool, link);
		struct dlist *lists[] = {&pool->active, &pool->idle, &pool->busy, &pool->opening};

		for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
			struct server *s = worker_find_in(lists[i], id, pid);

			if (s != NULL)
				return s;
		}
	}
	return NULL;
}
