/*
 * toy.c - a relay without a pool.
 */
#include "toy.h"

#include "engine_sim.h"

#include "base/mem.h"
#include "net/loop.h"

struct toy {
	struct conn client, server;
	struct loop_grave grave;
	struct timeout tick;
	bool is_ending;
	bool is_up; /* the server has said something beyond the login */
};

static struct loop loops[4];
static unsigned loop_count, alive;
static enum toy_sabotage sabotage;
static bool has_sinned;
static struct toy *victim; /* another client that is logged in */

static void toy_destroy(struct loop_grave *g)
{
	mem_free(container_of(g, struct toy, grave));
}

static void toy_free(struct toy *t)
{
	struct loop *loop = t->client.loop;

	conn_close(&t->client);
	conn_close(&t->server);
	timeout_disarm(&t->tick);
	if (victim == t)
		victim = NULL;
	alive--;
	loop_defer_free(loop, &t->grave, toy_destroy);
}

static void toy_on_tick(struct timeout *tick)
{
	struct toy *t = container_of(tick, struct toy, tick);

	loop_arm(t->client.loop, tick, 30000000);
}

static size_t toy_move(struct conn *from, struct conn *to, struct chunk *chunk, const uint8_t *data, size_t n)
{
	size_t use = n;

	/* sometimes the rest is left to be kept */
	if (n > 1 && sim_one_in(16)) {
		use = 1 + sim_rnd((uint32_t)n - 1);
		conn_pause(from, sim_one_in(2) ? 0 : 2048);
		conn_resume(from);
		conn_pause(from, 100000);
	}
	conn_send(to, data, use, sim_one_in(4) ? NULL : chunk);
	if (sim_one_in(4))
		conn_flush(to);
	if (conn_out_pending(to) >= CONN_HIGH)
		conn_pause(from, 0);
	else if (use < n)
		conn_notify_empty(to);
	return use;
}

static size_t toy_on_client_bytes(struct conn *c, struct chunk *chunk, const uint8_t *data, size_t n)
{
	return toy_move(c, &container_of(c, struct toy, client)->server, chunk, data, n);
}

/* the wrong of this seed, on a run of replies; true: done, and the run is dealt with */
static bool toy_sin(struct toy *t, struct chunk *chunk, const uint8_t *data, size_t n)
{
	static const uint8_t error[] = {'E', 0, 0, 0, 8, 'M', 'x', 0, 0};

	if (has_sinned || sabotage == TOY_HONEST || !t->is_up || sim_one_in(3))
		return false;
	switch (sabotage) {
	case TOY_LOSES:
		conn_send(&t->client, data, n - 1, chunk);
		break;
	case TOY_DOUBLES:
		conn_send(&t->client, data, n, chunk);
		conn_send(&t->client, data, n, chunk);
		break;
	case TOY_MISPLACES:
		if (victim == NULL || victim == t || victim->client.loop != t->client.loop || victim->is_ending)
			return false;
		conn_send(&victim->client, data, n, chunk);
		break;
	case TOY_STALLS:
		conn_pause(&t->server, 0);
		break;
	default:
		conn_send(&t->client, error, sizeof(error), NULL);
		conn_send(&t->client, data, n, chunk);
		break;
	}
	sim_trace("sabotage %d, %zu bytes", sabotage, n);
	has_sinned = true;
	return true;
}

static size_t toy_on_server_bytes(struct conn *c, struct chunk *chunk, const uint8_t *data, size_t n)
{
	struct toy *t = container_of(c, struct toy, server);

	/* a whole reply at the end of a run, so that what is wrong is not hidden in a message's middle */
	if (t->is_up && toy_sin(t, chunk, data, n))
		return n;
	if (n >= 6 && data[n - 6] == 'Z') {
		t->is_up = true;
		if (victim == NULL || sim_one_in(2))
			victim = t;
	}
	return toy_move(c, &t->client, chunk, data, n);
}

bool toy_has_sinned(void)
{
	return has_sinned;
}

static void toy_on_client_drained(struct conn *c)
{
	struct toy *t = container_of(c, struct toy, client);

	if (t->is_ending && conn_out_pending(c) == 0)
		toy_free(t);
	else
		conn_resume(&t->server);
}

static void toy_on_server_drained(struct conn *c)
{
	conn_resume(&container_of(c, struct toy, server)->client);
}

static void toy_on_client_closed(struct conn *c, enum conn_end end FX_UNUSED, int err FX_UNUSED)
{
	toy_free(container_of(c, struct toy, client));
}

static void toy_on_server_closed(struct conn *c, enum conn_end end FX_UNUSED, int err FX_UNUSED)
{
	struct toy *t = container_of(c, struct toy, server);

	conn_close(&t->server);
	t->is_ending = true;
	conn_pause(&t->client, 0);
	conn_notify_empty(&t->client);
}

static void toy_on_connected(struct conn *c)
{
	conn_resume(&container_of(c, struct toy, server)->client);
}

static const struct conn_ops client_ops = {
	.on_bytes = toy_on_client_bytes,
	.on_drained = toy_on_client_drained,
	.on_closed = toy_on_client_closed,
};

static const struct conn_ops server_ops = {
	.on_bytes = toy_on_server_bytes,
	.on_drained = toy_on_server_drained,
	.on_closed = toy_on_server_closed,
	.on_connected = toy_on_connected,
};

static void toy_on_accept(struct loop *loop, int fd)
{
	struct toy *t = mem_zalloc(sizeof(*t));
	struct addr to = {.family = ADDR_IPV4, .port = 5432};

	alive++;
	timeout_init(&t->tick, toy_on_tick);
	if (conn_open(&t->client, loop, fd, &client_ops) < 0)
		sim_fail("conn_open");
	/* what the client says before the server is there is kept, or waits in the line */
	conn_pause(&t->client, sim_one_in(2) ? 0 : sim_rnd(3000));
	conn_connect(&t->server, loop, &to, NULL, &server_ops);
	loop_arm(loop, &t->tick, 1 + sim_rnd(1000000));
}

struct nsock *toy_connect(void)
{
	struct nsock *a, *b;

	net_sim_pair(&a, &b, "client", "pooler");
	engine_sim_offer(&loops[sim_rnd(loop_count)], b, toy_on_accept);
	return a;
}

void toy_start(unsigned n, enum toy_sabotage wrong)
{
	sabotage = wrong;
	has_sinned = false;
	victim = NULL;
	loop_count = n;
	alive = 0;
	for (unsigned i = 0; i < n; i++) {
		if (loop_init(&loops[i], &engine_sim_ops, i, NULL) < 0)
			sim_fail("loop_init");
		engine_sim_begin(&loops[i]);
	}
}

void toy_finish(void)
{
	if (alive != 0)
		sim_fail("%u relays are left", alive);
	for (unsigned i = 0; i < loop_count; i++)
		loop_fini(&loops[i]);
}
