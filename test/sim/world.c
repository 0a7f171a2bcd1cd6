/*
 * world.c - makes a world of a seed, and lets it run to its end.
 */
#include "world.h"

#include "cancels.h"
#include "client_script.h"
#include "engine_sim.h"
#include "fakeclient.h"
#include "fakepg.h"
#include "pooler.h"
#include "toy.h"

#include <stdio.h>
#include <string.h>

#define STEPS_MAX 3000000u

bool world_mode_parse(const char *text, enum world_mode *mode)
{
	if (strcmp(text, "direct") == 0)
		*mode = WORLD_DIRECT;
	else if (strcmp(text, "toy") == 0)
		*mode = WORLD_TOY;
	else if (strcmp(text, "sabotage") == 0)
		*mode = WORLD_SABOTAGE;
	else if (strcmp(text, "pooler") == 0)
		*mode = WORLD_POOLER;
	else if (strcmp(text, "pipeline") == 0)
		*mode = WORLD_PIPELINE;
	else if (strcmp(text, "cancels") == 0)
		*mode = WORLD_CANCELS;
	else
		return false;
	return true;
}

static uint32_t pick(uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
	const uint32_t all[] = {a, b, c, d};

	return all[sim_rnd(4)];
}

static void world_weather(void)
{
	sim.weather = (struct sim_weather){
		.latency_us = pick(0, 20, 100, 1000),
		.jitter_us = pick(1, 50, 500, 3000),
		.window = pick(300, 4096, 65536, 300000),
		.max_segment = pick(60, 1448, 8192, 65536),
		.max_read = pick(100, 1500, 16384, 65536),
		.turn_delay_us = pick(1, 10, 100, 2000),
		.rst_drops_data = sim_one_in(2),
	};
	if (sim_one_in(40))
		sim.weather.max_segment = sim.weather.max_read = 1 + sim_rnd(4);
}

static void world_manners_of_server(struct fakepg_manners *m, bool faults)
{
	*m = (struct fakepg_manners){
		.exec_us = pick(1, 100, 1000, 20000),
		.exit_us = pick(1, 100, 1000, 20000),
		.login_us = pick(1, 100, 1000, 20000),
		.async_one_in = sim_one_in(3) ? 20 : 0,
		.flush_one_in = pick(2, 8, 8, 100),
		.wants_password = sim_one_in(4),
		.max_connections = BACKENDS,
	};
	if (!faults)
		return;
	if (sim_one_in(4))
		m->refuse_one_in = 2 + sim_rnd(10);
	if (sim_one_in(6))
		m->hole_one_in = 3 + sim_rnd(10);
	if (sim_one_in(6))
		m->reject_one_in = 3 + sim_rnd(10);
}

static void world_manners_of_clients(struct fakeclient_manners *m)
{
	*m = (struct fakeclient_manners){
		.batches = 1 + sim_rnd(8),
		.think_us = pick(1, 100, 2000, 50000),
		.lazy_us = pick(1, 10, 500, 5000),
		.cancel_one_in = sim_one_in(3) ? 2 + sim_rnd(6) : 0,
		.die_one_in = sim_one_in(2) ? 1 + sim_rnd(4) : 0,
		.pipeline_one_in = sim_one_in(2) ? 1 + sim_rnd(4) : 0,
		.sleep_us = pick(10, 1000, 30000, 1000000),
		.big_one_in = sim.weather.max_segment > 1000 && sim.weather.window > 300 ? 6 : 0,
		.has_transactions = !sim_one_in(4),
		.has_extended = !sim_one_in(4),
		.has_copy = !sim_one_in(4),
		.has_stray_sync = !sim_one_in(4),
		.statements_one_in = sim_one_in(3) ? 1 + sim_rnd(3) : 0,
		.has_discard = sim_one_in(3),
		.has_alter = sim_one_in(3),
		.has_odd_sync = sim_one_in(2),
		.likes_copy = sim_one_in(8),
		.has_parameters = sim_one_in(2),
		.has_huge = sim.weather.max_segment > 4000 && sim.weather.window > 4096 && sim.weather.max_read > 4000,
		.users = 1,
		.dbs = 1,
	};
}

/* --- faults, at random moments --- */

struct faults {
	struct sim_event strike;
	bool is_on;
	uint32_t every_us;
	unsigned left;
	bool idle_only;
};

static struct faults faults;

static void world_on_fault(struct sim_event *e)
{
	static const enum fakepg_fault kinds[] = {FAULT_TERMINATE, FAULT_CRASH, FAULT_CUT, FAULT_ASYNC};

	if (fakepg.is_down)
		fakepg_up();
	else if (sim_one_in(8) && !faults.idle_only)
		fakepg_down();
	else
		fakepg_fault(kinds[sim_rnd(4)], faults.idle_only);
	if (--faults.left > 0 || fakepg.is_down)
		sim_after(e, 1 + sim_rnd(faults.every_us));
}

static void world_faults_start(void)
{
	faults = (struct faults){
		.strike = {.fire = world_on_fault, .is_background = true},
		.is_on = true,
		.every_us = pick(200, 5000, 50000, 500000),
		.left = 1 + sim_rnd(6),
		.idle_only = sim_one_in(3),
	};
	sim_after(&faults.strike, sim_rnd(faults.every_us));
}

/* --- running --- */

static bool (*world_is_over)(void);
static void (*world_check_rest)(void);

static struct nsock *world_dial(const struct addr *to FX_UNUSED, const char *path FX_UNUSED, int *err)
{
	return fakepg_dial(err);
}

static void world_loop(const char *what, struct world_counts *counts)
{
	while (!world_is_over()) {
		if (sim.steps > STEPS_MAX)
			sim_fail("%s: no end after %u steps", what, STEPS_MAX);
		if (sim_is_quiet() && world_check_rest != NULL) {
			world_check_rest();
			counts->rests++;
		}
		if (!sim_step())
			sim_fail("%s: nothing happens any more, and it is not over", what);
	}
}

static bool world_clients_are_gone(void)
{
	return fakeclient_all_gone();
}

static bool world_servers_are_gone(void)
{
	return fakepg.count == 0;
}

static void world_clients(unsigned n)
{
	uint32_t spread = pick(1, 1000, 20000, 200000);

	for (unsigned i = 0; i < n; i++)
		fakeclient_add(sim_rnd(spread));
}

static void world_count(struct world_counts *c)
{
	c->seeds++;
	c->steps += sim.steps;
	c->clients += fclients.count;
	c->requests += fclients.requests;
	c->replies += fclients.replies;
	c->errors += fclients.errors_excused;
	c->deaths += fclients.deaths;
	c->cancels += fclients.cancels_sent;
	c->cancels_hit += fakepg.cancels_hit;
	c->logins += fakepg.logins;
	c->statements += fakepg.statements;
	c->kills += fakepg.kills;
}

static void world_end(struct world_counts *counts)
{
	unsigned open;

	world_count(counts);
	fakeclient_finish();
	fakepg_finish();
	open = net_sim_finish();
	if (open > 0)
		sim_fail("%u sockets were never closed", open);
	sim_finish();
}

/* the sabotaged relay came through: whoever runs these seeds counts the failures that should have been */
static void world_unnoticed(void)
{
	printf("UNNOTICED: sabotage in seed %llu\n", (unsigned long long)sim.seed);
	fflush(stdout);
}

static void world_simple(enum world_mode mode, struct world_counts *counts)
{
	struct fakepg_manners server;
	struct fakeclient_manners clients;

	world_weather();
	world_manners_of_server(&server, false);
	world_manners_of_clients(&clients);
	clients.has_session_state = true;
	fakepg_start(&server);
	fakeclient_start(&clients);
	world_check_rest = NULL;
	if (mode != WORLD_DIRECT) {
		engine_sim_dial = world_dial;
		toy_start(1 + sim_rnd(4), mode == WORLD_SABOTAGE ? 1 + (enum toy_sabotage)(sim.seed % (TOY_SABOTAGES - 1))
							   : TOY_HONEST);
		fakeclient_connect = toy_connect;
	} else {
		fakeclient_connect = fakepg_direct;
	}
	world_clients(1 + sim_rnd(6));
	world_is_over = world_clients_are_gone;
	world_loop("clients", counts);
	world_is_over = world_servers_are_gone;
	world_loop("servers", counts);
	if (mode != WORLD_DIRECT) {
		/* let the relays notice */
		for (unsigned i = 0; i < 1000 && !sim_is_quiet(); i++)
			(void)sim_step();
		toy_finish();
		if (mode == WORLD_SABOTAGE && toy_has_sinned())
			world_unnoticed();
	}
}

/* --- the pooler --- */

enum flavour { STRICT, SILENT, FAULTS, ORDERS, TIMEOUTS, CROWD, NO_MEMORY };

static void world_manners_of_pooler(struct pooler_manners *m)
{
	static const char *const modes[] = {"transaction", "transaction", "session", "statement"};

	*m = (struct pooler_manners){
		.workers = 1 + sim_rnd(4),
		.mode = modes[sim_rnd(4)],
		.pool_size = 1 + sim_rnd(3),
		.max_overflow = sim_one_in(2) ? sim_rnd(3) : 0,
		.max_db = sim_one_in(4) ? 1 + sim_rnd(4) : 0,
		.max_user = sim_one_in(4) ? 1 + sim_rnd(4) : 0,
		.max_clients = 1000,
		.linger_ms = pick(1, 20, 500, 5000),
		.lifetime_ms = sim_one_in(3) ? pick(0, 30, 300, 3000) : 3600000,
		.ping_idle_ms = pick(1, 1, 100, 1000),
		.retry_ms = pick(10, 200, 1000, 3000),
		.connect_timeout_s = 1 + sim_rnd(5),
		.has_ping = !sim_one_in(3),
		.is_plain_auth = sim_one_in(4),
		.is_bouncer = sim_one_in(4),
		.max_prepared = pick(1, 2, 3, 200),
		.always_resets = sim_one_in(8),
	};
}

static void world_flavour(enum flavour flavour, struct pooler_manners *p, struct fakeclient_manners *c)
{
	p->is_strict = flavour == STRICT;
	switch (flavour) {
	case SILENT:
		p->has_ping = true;
		p->ping_idle_ms = 0;
		break;
	case TIMEOUTS:
		p->wait_ms = sim_one_in(2) ? pick(1, 10, 100, 1000) : 0;
		p->query_ms = sim_one_in(2) ? pick(1, 10, 100, 1000) : 0;
		p->idle_xact_ms = sim_one_in(2) ? pick(1, 10, 100, 1000) : 0;
		p->idle_client_ms = sim_one_in(2) ? pick(1, 10, 100, 1000) : 0;
		p->login_ms = sim_one_in(2) ? pick(1, 10, 100, 1000) : 0;
		p->notify_ms = sim_one_in(2) ? pick(1, 10, 100, 1000) : 0;
		p->reserve = sim_one_in(2) ? 1 + sim_rnd(2) : 0;
		c->think_us = pick(100, 2000, 50000, 500000);
		break;
	case CROWD:
		p->max_clients = 1 + sim_rnd(sim_one_in(2) ? 2 : 6);
		p->grace_ms = pick(0, 1, 1, 20);
		c->dawdle_us = pick(0, 10000, 50000, 200000);
		c->evil_one_in = 1 + sim_rnd(4);
		break;
	default:
		break;
	}
}

static void world_pooler_limits(struct fakepg_manners *s, const struct pooler_manners *p)
{
	s->limit_pool = p->pool_size + p->max_overflow + p->reserve;
	s->limit_db = p->max_db;
	s->limit_user = p->max_user;
}

/* the last words, the last mail */
static void world_settle(void)
{
	while (!sim_is_quiet())
		(void)sim_step();
}

static bool world_is_empty(void)
{
	return fakepg.count == 0 && pooler_is_empty() && net_sim_open() == 0;
}

/* --- orders, at random moments --- */

static struct sim_event orders;
static unsigned orders_left;

static void world_on_order(struct sim_event *e)
{
	if (orders_left-- > 0) {
		pooler_order();
		sim_after(e, 1 + sim_rnd(100000));
	} else {
		pooler_peace();
	}
}

static void world_orders_start(void)
{
	orders = (struct sim_event){.fire = world_on_order, .is_background = true};
	orders_left = 1 + sim_rnd(6);
	sim_after(&orders, sim_rnd(100000));
}

/* --- lines that go dead while a server idles: no client may notice --- */

static void world_on_silence(struct sim_event *e)
{
	pooler_hush();
	if (--orders_left > 0)
		sim_after(e, 1 + sim_rnd(100000));
}

static void world_silence_start(void)
{
	orders = (struct sim_event){.fire = world_on_silence, .is_background = true};
	orders_left = 1 + sim_rnd(6);
	sim_after(&orders, sim_rnd(100000));
}

/* memory runs out now and then */
static void world_hunger_start(void)
{
	fakeclient_excuse(NULL, "no memory");
	sim.starve_one_in = 20 + sim_rnd(400);
}

static void world_troubles_end(void)
{
	sim_cancel(&faults.strike);
	sim_cancel(&orders);
	sim.starve_one_in = 0;
	fakepg_peace();
	pooler_peace();
}

/* a world with these manners, from its beginning to its end */
static void world_pooler_live(struct pooler_manners pooler, const struct fakepg_manners *server,
			      const struct fakeclient_manners *clients, unsigned count, enum flavour flavour,
			      struct world_counts *counts)
{
	fakepg_start(server);
	fakeclient_start(clients);
	engine_sim_dial = world_dial;
	fakeclient_connect = pooler_connect;
	world_flavour(flavour, &pooler, &fclients.manners);
	world_clients(count);
	if (flavour == CROWD || flavour == TIMEOUTS)
		fakeclient_excuse(NULL, flavour == CROWD ? "max_client_conn" : "timeouts");
	world_pooler_limits(&fakepg.manners, &pooler);
	pooler_start(&pooler, clients->users, clients->dbs);
	if (flavour == FAULTS)
		world_faults_start();
	else if (flavour == ORDERS)
		world_orders_start();
	else if (flavour == SILENT)
		world_silence_start();
	else if (flavour == NO_MEMORY)
		world_hunger_start();
	world_check_rest = pooler_check_rest;
	world_is_over = world_clients_are_gone;
	world_loop("clients", counts);
	world_settle();
	pooler_check_no_clients();
	world_troubles_end();
	world_is_over = world_is_empty;
	world_loop("servers", counts);
	pooler_stop();
	world_settle();
	pooler_finish();
}

/* more workers than anybody has cores, in one seed of eight */
static unsigned world_workers(uint64_t seed, unsigned usual)
{
	return seed % 8 == 7 ? 5 + (unsigned)(seed / 8 % 12) : usual;
}

static void world_pooler(struct world_counts *counts)
{
	static const enum flavour flavours[] = {STRICT, STRICT, STRICT, STRICT, STRICT,	  FAULTS, FAULTS,
						FAULTS, ORDERS, ORDERS, SILENT, TIMEOUTS, CROWD,  NO_MEMORY};
	enum flavour flavour = flavours[sim_rnd(ARRAY_LEN(flavours))];
	struct fakepg_manners server;
	struct fakeclient_manners clients;
	struct pooler_manners pooler;

	world_weather();
	world_manners_of_server(&server, flavour == FAULTS);
	world_manners_of_clients(&clients);
	world_manners_of_pooler(&pooler);
	pooler.workers = world_workers(sim.seed, pooler.workers);
	server.is_session = strcmp(pooler.mode, "session") == 0;
	clients.has_session_state = server.is_session;
	clients.hides_plans = !server.is_session;
	clients.is_autonomous = strcmp(pooler.mode, "statement") == 0;
	if (clients.is_autonomous)
		clients.has_transactions = false;
	clients.users = 1 + sim_rnd(sim_one_in(2) ? 3 : 1);
	clients.dbs = 1 + sim_rnd(sim_one_in(3) ? 2 : 1);
	world_pooler_live(pooler, &server, &clients, 1 + sim_rnd(sim_one_in(8) ? 40 : 8), flavour, counts);
}

/* Everything but the place of the error is the same for all places of a shape. */
static void world_pipeline(uint64_t seed, struct world_counts *counts)
{
	static const unsigned limits[] = {1, 2, 3, 200};
	uint64_t shape = seed / (PIPELINE + 1);
	struct fakepg_manners server;
	struct fakeclient_manners clients;
	struct pooler_manners pooler;

	rnd_seed(&sim.rnd, 1 + shape);
	world_weather();
	if (sim.weather.max_segment < 1000)
		sim.weather.max_segment = sim.weather.max_read = sim.weather.window = 1000;
	world_manners_of_server(&server, false);
	world_manners_of_pooler(&pooler);
	pooler.max_prepared = limits[shape % ARRAY_LEN(limits)];
	pooler.mode = shape / ARRAY_LEN(limits) % 2 == 0 ? "transaction" : "statement";
	clients = (struct fakeclient_manners){
		.batches = 1,
		.think_us = 100,
		.lazy_us = 10,
		.users = 1,
		.dbs = 1,
		.is_autonomous = shape / ARRAY_LEN(limits) % 2 != 0,
		.says_pipeline = true,
		.error_at = (unsigned)(seed % (PIPELINE + 1)),
	};
	world_pooler_live(pooler, &server, &clients, 2, STRICT, counts);
}

static void world_describe(void)
{
	fakeclient_describe();
	fakepg_describe();
	pooler_describe();
}

void world_run(uint64_t seed, enum world_mode mode, bool verbose, struct world_counts *counts)
{
	if (mode == WORLD_CANCELS) {
		sim_describe = NULL;
		cancels_run(seed, verbose, counts);
		return;
	}
	sim_start(seed, verbose);
	net_sim_start();
	sim_describe = world_describe;
	if (mode == WORLD_ANY)
		mode = seed % 50 == 0 ? WORLD_DIRECT : seed % 50 == 1 ? WORLD_TOY : WORLD_POOLER;
	if (mode == WORLD_POOLER)
		world_pooler(counts);
	else if (mode == WORLD_PIPELINE)
		world_pipeline(seed, counts);
	else
		world_simple(mode, counts);
	world_end(counts);
}
