/*
 * pooler.c - the pooler under test, and its promises.
 */
#include "pooler.h"

#include "engine_sim.h"
#include "fakeclient.h"
#include "fakepg.h"
#include "prepared_check.h"

#include "base/mem.h"
#include "session/orders.h"
#include "session/worker.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define WORKERS 16

static struct pooler_manners manners;
static struct hub hub;
static struct worker workers[WORKERS];
static struct worker *all[WORKERS];
static unsigned user_count, db_count, first_size;
static bool is_alive;
static size_t clients_before, servers_before;

/* what was seen of a client's lease after its worker's last turn */
#define SEEN 4096
static struct seen {
	uint64_t since;
	uint8_t state;
} seen[SEEN];

/* --- configuration --- */

static void put_text(int fd, const char *text)
{
	CHECK(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
}

static int memory_file(const char *name)
{
	int fd = memfd_create(name, MFD_CLOEXEC);

	CHECK(fd >= 0);
	return fd;
}

static int pooler_write_users(unsigned users)
{
	int fd = memory_file("userlist");
	char line[64];

	for (unsigned i = 0; i < users; i++) {
		snprintf(line, sizeof(line), "\"u%u\" \"secret\"\n", i);
		put_text(fd, line);
	}
	return fd;
}

static int pooler_write_conf(unsigned dbs, int users_fd)
{
	const struct pooler_manners *m = &manners;
	int fd = memory_file("conf");
	char text[2048];

	put_text(fd, "[databases]\n");
	for (unsigned i = 0; i < dbs; i++) {
		snprintf(text, sizeof(text), "d%u = host=127.0.0.1 port=5432 dbname=d%u\n", i, i);
		put_text(fd, text);
	}
	snprintf(text, sizeof(text),
		 "[%s]\nauth_type = %s\nauth_file = /proc/self/fd/%d\npool_mode = %s\n"
		 "default_pool_size = %u\nmax_overflow = %u\nmin_pool_size = %u\nreserve_pool_size = %u\n"
		 "reserve_pool_timeout = 1s\nmax_db_connections = %u\nmax_user_connections = %u\n"
		 "max_client_conn = %u\nmax_unauthenticated_percent = 100\noverflow_linger = %ums\n"
		 "server_lifetime = %ums\npre_ping_idle = %ums\npool_pre_ping = %d\nserver_login_retry = %ums\n"
		 "server_connect_timeout = %us\nserver_idle_timeout = 20s\nserver_tls_sslmode = disable\n"
		 "session_attach = %s\nstalled_login_grace = %ums\n",
		 m->is_bouncer ? "pgbouncer" : "fynixpool", m->is_plain_auth ? "plain" : "trust", users_fd, m->mode,
		 m->pool_size, m->max_overflow, m->min_pool_size, m->reserve, m->max_db, m->max_user, m->max_clients,
		 m->linger_ms, m->lifetime_ms, m->ping_idle_ms, m->has_ping, m->retry_ms, m->connect_timeout_s,
		 m->attaches_late ? "first_query" : "login", m->grace_ms);
	put_text(fd, text);
	snprintf(text, sizeof(text),
		 "query_wait_timeout = %ums\nquery_wait_notify = %ums\nclient_login_timeout = %ums\n"
		 "query_timeout = %ums\nidle_transaction_timeout = %ums\nclient_idle_timeout = %ums\n"
		 "server_reset_query_always = %d\nserver_reset_query = DISCARD ALL\nmax_prepared_statements = %u\n",
		 m->wait_ms > 0 ? m->wait_ms : 3000000, m->notify_ms, m->login_ms > 0 ? m->login_ms : 3000000,
		 m->query_ms, m->idle_xact_ms, m->idle_client_ms, m->always_resets, m->max_prepared);
	put_text(fd, text);
	return fd;
}

static struct conf *pooler_load(void)
{
	struct conf_overrides overrides = {.user = NULL};
	struct conf_report report;
	int users_fd = pooler_write_users(user_count), conf_fd = pooler_write_conf(db_count, users_fd);
	struct conf *conf;
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", conf_fd);
	conf_report_init(&report);
	conf = conf_load(path, &overrides, &report);
	if (conf == NULL)
		sim_fail("configuration: %s", buf_text(&report.errors));
	conf_report_fini(&report);
	close(users_fd);
	close(conf_fd);
	return conf;
}

/* --- life --- */

static void console_on_command(struct worker *w FX_UNUSED, uint64_t client FX_UNUSED,
			       const struct identity *who FX_UNUSED, const char *text, size_t n)
{
	sim_fail("a console command: %.*s", (int)n, text);
}

static void console_on_cancel(struct worker *w FX_UNUSED, uint64_t client FX_UNUSED, bool is_gone FX_UNUSED)
{
	sim_fail("a console client's cancel");
}

static void console_greet(struct worker *w FX_UNUSED, struct buf *out FX_UNUSED)
{
	sim_fail("a console client");
}

static const struct worker_console console = {
	.on_command = console_on_command,
	.on_cancel = console_on_cancel,
	.greet = console_greet,
};

static size_t objects(enum mem_kind kind)
{
	struct mem_usage usage;

	mem_usage_get(kind, &usage);
	return usage.used;
}

static void pooler_check_turn(struct loop *loop);

void pooler_start(const struct pooler_manners *m, unsigned users, unsigned dbs)
{
	struct conf *conf;

	manners = *m;
	first_size = m->pool_size;
	memset(seen, 0, sizeof(seen));
	prepared_check_start();
	clients_before = objects(MEM_CLIENT);
	servers_before = objects(MEM_SERVER);
	sim.in_setup = true;
	user_count = users;
	db_count = dbs;
	conf = pooler_load();
	hub_init(&hub, m->workers);
	for (unsigned i = 0; i < m->workers; i++)
		all[i] = &workers[i];
	for (unsigned i = 0; i < m->workers; i++)
		if (worker_init(&workers[i], &engine_sim_ops, &hub, i, all, conf, &console) < 0)
			sim_fail("worker_init");
	conf_unref(conf);
	for (unsigned i = 0; i < m->workers; i++)
		engine_sim_begin(&workers[i].loop);
	sim.in_setup = false;
	is_alive = true;
	engine_sim_after_turn = pooler_check_turn;
}

static void pooler_on_accept(struct loop *loop, int fd)
{
	struct addr peer = {.family = ADDR_IPV4, .port = (uint16_t)(fd & 0xFFFF), .ip = {127, 0, 0, 1}};

	worker_accept(worker_of(loop), fd, &peer);
}

struct nsock *pooler_connect(void)
{
	struct nsock *a, *b;

	net_sim_pair(&a, &b, "client", "pooler");
	engine_sim_offer(&workers[sim_rnd(manners.workers)].loop, b, pooler_on_accept);
	return a;
}

static void pooler_on_stop(struct loop *loop, void *arg FX_UNUSED)
{
	worker_empty(worker_of(loop));
}

void pooler_stop(void)
{
	for (unsigned i = 0; i < manners.workers; i++)
		engine_sim_call(&workers[i].loop, pooler_on_stop, NULL);
}

void pooler_finish(void)
{
	is_alive = false;
	engine_sim_after_turn = NULL;
	sim.in_setup = true;
	for (unsigned i = 0; i < manners.workers; i++)
		worker_fini(&workers[i]);
	hub_fini(&hub);
	sim.in_setup = false;
	if (objects(MEM_CLIENT) != clients_before || objects(MEM_SERVER) != servers_before)
		sim_fail("I8: %zu clients and %zu servers are still in memory",
			 objects(MEM_CLIENT) - clients_before, objects(MEM_SERVER) - servers_before);
}

/* --- shares, without holding the hub's lock while looking --- */

#define SHARES 64
static struct share *shares[SHARES];
static unsigned share_count;

static void note_share(struct share *share, void *arg FX_UNUSED)
{
	CHECK(share_count < SHARES);
	shares[share_count++] = share;
}

static void each_share(void (*fn)(struct share *share, void *arg), void *arg)
{
	share_count = 0;
	hub_each_share(&hub, note_share, NULL);
	for (unsigned i = 0; i < share_count; i++)
		fn(shares[i], arg);
}

/* --- what must hold after every turn --- */

static void check_fifo(struct worker *w, const struct lease *l)
{
	/* was it granted in this turn, after waiting? */
	for (unsigned i = 0; i < manners.workers; i++) {
		uint64_t patience = i == w->home.index ? 0 : 1000;

		DLIST_EACH(it, &workers[i].clients) {
			const struct client *c = container_of(it, struct client, link);
			const struct lease *o = &c->lease;

			if (o->state == LEASE_QUEUED && dlist_is_linked(&o->link) &&
			    o->pool->share == l->pool->share && o->since + patience < l->since)
				sim_fail("FIFO: worker %u gave a server to one that waits since %llu, while one of "
					 "worker %u waits since %llu",
					 w->home.index, (unsigned long long)l->since, i,
					 (unsigned long long)o->since);
		}
	}
}

static void check_client(struct worker *w, const struct client *c)
{
	const struct lease *l = &c->lease;
	const struct server *s = l->server;
	struct seen *was = &seen[c->id % SEEN];
	bool is_new = was->state != LEASE_HELD || was->since != l->since;

	*was = (struct seen){.since = l->since, .state = l->state};
	if (l->state != LEASE_HELD)
		return;
	if (s == NULL || s->loop != &w->loop)
		sim_fail("a lease of worker %u holds a server of another thread", w->home.index);
	if (s->state == SERVER_ACTIVE && s->rider != NULL && s->rider != (const void *)c)
		sim_fail("I1: server %llu has another rider than its lease", (unsigned long long)s->id);
	if (manners.is_strict && is_new)
		check_fifo(w, l);
}

static void pooler_check_turn(struct loop *loop)
{
	struct worker *w = worker_of(loop);

	unsigned in = 0, seated = 0;

	DLIST_EACH(it, &w->clients)
		check_client(w, container_of(it, struct client, link));
	prepared_check_turn(w, manners.max_prepared);
	for (unsigned i = 0; i < manners.workers; i++)
		DLIST_EACH(it, &workers[i].clients) {
			const struct client *c = container_of(it, struct client, link);

			in += c->is_counted;
			seated += c->has_seat;
			if (c->is_counted && !c->has_seat && c->state != CLIENT_CLOSING && c->state != CLIENT_GONE)
				sim_fail("a client is in and has no seat");
		}
	/* one that changes hands is nobody's */
	if (seated > hub.seats || hub.seats > manners.max_clients)
		sim_fail("%u clients have seats, %u are counted, max_client_conn is %u", seated, hub.seats, manners.max_clients);
	if (in > manners.max_clients)
		sim_fail("%u clients are in, max_client_conn is %u", in, manners.max_clients);
}

/* --- what must hold at rest --- */

/* has a server of this share idled for so long? */
static bool has_idled(const struct share *share, uint64_t us)
{
	for (unsigned i = 0; i < manners.workers; i++) {
		struct pool *p = share->side[i].pool;

		if (p == NULL)
			continue;
		DLIST_EACH(it, &p->idle)
			if (sim.now - container_of(it, struct server, link)->idle_since > us)
				return true;
	}
	return false;
}

/* The database or the user has no room for this share: does an idle server of another one stand in the way?  It may
 * for a while, or two pools would take the last place from each other at every request. */
static void check_eviction(struct share *share, unsigned cap)
{
	bool db_full = manners.max_db > 0 && share->database_tally->servers >= manners.max_db;
	bool user_full = manners.max_user > 0 && share->user_tally->servers >= manners.max_user;

	if (share->servers >= cap || db_full == user_full || sim.now - share_oldest(share) < 1000000)
		return;
	for (unsigned i = 0; i < share_count; i++) {
		struct share *o = shares[i];

		if (o == share || (db_full && o->database_tally != share->database_tally) ||
		    (user_full && o->user_tally != share->user_tally))
			continue;
		if (atomic_load(&o->waiters) == 0 && has_idled(o, 1000000))
			sim_fail("I7: %s/%s waits for room, and %s/%s has an idle server", share->database,
				 share->user, o->database, o->user);
	}
}

static void check_share_rest(struct share *share, void *arg FX_UNUSED)
{
	unsigned idle = share_idle_total(share), waiters = atomic_load(&share->waiters), queued = 0;
	unsigned cap = manners.pool_size + manners.max_overflow;

	for (unsigned i = 0; i < manners.workers; i++)
		DLIST_EACH(it, &share->side[i].queue)
			queued++;
	if (queued != waiters)
		sim_fail("%s/%s: %u waiters are counted, %u stand in line", share->database, share->user, waiters,
			 queued);
	if (waiters == 0 || atomic_load(&share->is_paused))
		return;
	if (idle > 0)
		sim_fail("I7: %u wait beside %u idle servers of %s/%s", waiters, idle, share->database, share->user);
	if (!manners.is_strict || share->connecting > 0)
		return;
	check_eviction(share, cap);
	if ((manners.pool_size == 0 || share->servers < cap) &&
	    (manners.max_db == 0 || share->database_tally->servers < manners.max_db) &&
	    (manners.max_user == 0 || share->user_tally->servers < manners.max_user))
		sim_fail("I7: %u wait, and %u servers of %s/%s could be opened", waiters, cap - share->servers,
			 share->database, share->user);
}

void pooler_check_rest(void)
{
	each_share(check_share_rest, NULL);
	if (strcmp(manners.mode, "session") != 0)
		prepared_check_rest(workers, manners.workers);
}

static void check_share_no_clients(struct share *share, void *arg FX_UNUSED)
{
	if (atomic_load(&share->waiters) != 0)
		sim_fail("I8: %s/%s: waiters without clients", share->database, share->user);
	for (unsigned i = 0; i < manners.workers; i++) {
		const struct pool *p = share->side[i].pool;

		if (p != NULL && (p->clients != 0 || p->waiting != 0))
			sim_fail("I8: %s/%s on worker %u: %u clients, %u waiting, and there are none",
				 share->database, share->user, i, p->clients, p->waiting);
	}
}

void pooler_check_no_clients(void)
{
	struct hub_counts counts;

	hub_count(&hub, &counts);
	if (counts.clients != 0 || counts.logins != 0)
		sim_fail("I8: %u clients and %u logins are counted, and there are none", counts.clients,
			 counts.logins);
	if (hub.seats != 0)
		sim_fail("I8: %u seats are taken, and there are no clients", hub.seats);
	if (objects(MEM_CLIENT) != clients_before)
		sim_fail("I8: %zu clients are in memory, and there are none", objects(MEM_CLIENT) - clients_before);
	if (stmt_store_bytes(hub.statements) != 0)
		sim_fail("I8: %zu bytes of statements are kept, and there are no clients",
			 stmt_store_bytes(hub.statements));
	each_share(check_share_no_clients, NULL);
}

static void check_share_empty(struct share *share, void *arg)
{
	*(unsigned *)arg += share->servers;
}

bool pooler_is_empty(void)
{
	unsigned servers = 0;

	each_share(check_share_empty, &servers);
	return servers == 0;
}

const char *pooler_rider(uint32_t pid)
{
	for (unsigned i = 0; is_alive && i < manners.workers; i++)
		DLIST_EACH(it, &workers[i].clients) {
			const struct client *c = container_of(it, struct client, link);
			const struct fclient *f = fakeclient_by_port(c->peer.port);

			if (c->lease.server != NULL && c->lease.server->pid == pid)
				return f != NULL ? f->name : "";
		}
	return "";
}

bool pooler_is_closing(uint32_t pid)
{
	for (unsigned i = 0; is_alive && i < manners.workers; i++)
		DLIST_EACH(it, &workers[i].home.pools)
			DLIST_EACH(at, &container_of(it, struct pool, link)->closing)
				if (container_of(at, struct server, link)->pid == pid)
					return true;
	return false;
}

/* --- orders of the console --- */

static void order_all(void (*fn)(struct worker *w, void *arg), void *arg)
{
	for (unsigned i = 0; i < manners.workers; i++)
		worker_call(&workers[i], fn, arg);
}

static void order_pause(struct worker *w, void *arg FX_UNUSED)
{
	orders_pause(w, NULL);
}

static void order_resume(struct worker *w, void *arg FX_UNUSED)
{
	orders_resume(w, NULL);
}

static void order_reconnect(struct worker *w, void *arg FX_UNUSED)
{
	orders_reconnect(w, NULL, loop_now(&w->loop));
}

static void order_kill(struct worker *w, void *arg FX_UNUSED)
{
	fakeclient_excuse(NULL, "KILL");
	orders_kill(w, NULL);
}

static void order_reload(struct worker *w, void *arg)
{
	worker_reload(w, arg);
	conf_unref(arg);
}

/* any client of this worker, with pleasure one in the middle of a message; NULL: it has none */
static struct client *any_client(struct worker *w)
{
	struct client *picked = NULL;
	unsigned n = 0;

	DLIST_EACH(it, &w->clients) {
		struct client *c = container_of(it, struct client, link);

		if (sim_one_in(++n) || (c->left > 0 && c->is_forwarding))
			picked = c;
	}
	return picked;
}

static void order_kill_client(struct worker *w, void *arg FX_UNUSED)
{
	struct client *c = any_client(w);
	struct fclient *f = c != NULL ? fakeclient_by_port(c->peer.port) : NULL;

	if (f == NULL)
		return;
	f->is_excused_for_good = true;
	f->excuse = "KILL_CLIENT";
	(void)orders_kill_client(w, c->id);
}

static void order_cancel_client(struct worker *w, void *arg FX_UNUSED)
{
	struct client *c = any_client(w);
	struct fclient *f = c != NULL ? fakeclient_by_port(c->peer.port) : NULL;

	if (f == NULL)
		return;
	fakeclient_credit(f);
	(void)orders_cancel_client(w, c->id, c->request_since);
}

static void order_kill_server(struct worker *w, void *arg FX_UNUSED)
{
	struct client *c = any_client(w);
	struct fclient *f = c != NULL ? fakeclient_by_port(c->peer.port) : NULL;

	if (f == NULL || c->lease.server == NULL)
		return;
	f->is_excused_for_good = true;
	f->excuse = "KILL_SERVER";
	(void)orders_kill_server(w, c->lease.server->id, 0);
}

static void pooler_reload(void)
{
	struct conf *conf;

	/* sizes may shrink and grow again, never above what the fake server was told */
	manners.pool_size = 1 + sim_rnd(first_size);
	conf = pooler_load();
	for (unsigned i = 0; i < manners.workers; i++)
		worker_call(&workers[i], order_reload, conf_ref(conf));
	conf_unref(conf);
}

void pooler_order(void)
{
	unsigned what = sim_rnd(8);

	sim_trace("order %u", what);
	switch (what) {
	case 0:
		(void)hub_pause(&hub, NULL, true);
		order_all(order_pause, NULL);
		break;
	case 1:
		(void)hub_pause(&hub, NULL, true);
		order_all(order_kill, NULL);
		break;
	case 2:
		order_all(order_reconnect, NULL);
		break;
	case 3:
		order_all(order_kill_client, NULL);
		break;
	case 4:
		order_all(order_cancel_client, NULL);
		break;
	case 5:
		order_all(order_kill_server, NULL);
		break;
	default:
		pooler_reload();
		break;
	}
	if (what > 1)
		pooler_peace();
}

static void hush_idle(struct share *share, void *arg FX_UNUSED)
{
	struct pool *p = share->side[sim_rnd(manners.workers)].pool;
	struct dlist *first = p != NULL ? dlist_first(&p->idle) : NULL;

	if (first != NULL && sim_one_in(2))
		fakepg_hush(container_of(first, struct server, link)->pid);
}

void pooler_hush(void)
{
	each_share(hush_idle, NULL);
}

void pooler_peace(void)
{
	if (hub_pause(&hub, NULL, false))
		order_all(order_resume, NULL);
}

/* --- for people --- */

static void describe_share(struct share *share, void *arg FX_UNUSED)
{
	fprintf(stderr, "share %s/%s: %u servers, %u waiters, %u connecting, %u ready%s\n", share->database,
		share->user, share->servers, atomic_load(&share->waiters), share->connecting, share->ready,
		share->is_failing ? ", failing" : "");
	for (unsigned i = 0; i < manners.workers; i++) {
		const struct pool *p = share->side[i].pool;

		if (p != NULL)
			fprintf(stderr,
				"  worker %u: idle %u, active %u, busy %u, opening %u, closing %u, clients %u, waiting %u\n",
				i, p->idle_count, p->active_count, p->busy_count, p->opening_count, p->closing_count,
				p->clients, p->waiting);
	}
}

void pooler_describe(void)
{
	if (!is_alive)
		return;
	fprintf(stderr, "%u workers, mode %s, pool_size %u + %u, max_db %u, max_user %u\n", manners.workers,
		manners.mode, manners.pool_size, manners.max_overflow, manners.max_db, manners.max_user);
	each_share(describe_share, NULL);
	for (unsigned i = 0; i < manners.workers; i++)
		DLIST_EACH(it, &workers[i].clients) {
			const struct client *c = container_of(it, struct client, link);

			fprintf(stderr, "client C-%llx on worker %u: %s, lease %u, server %llu, port %u\n",
				(unsigned long long)c->id, i, client_state_word((enum client_state)c->state),
				c->lease.state,
				c->lease.server != NULL ? (unsigned long long)c->lease.server->id : 0, c->peer.port);
		}
}
