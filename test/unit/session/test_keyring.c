/* cancel keys: whose they are, that nobody else has them, that a wrong one finds nobody, that threads may ask meanwhile */
#include "base/mem.h"
#include "base/rnd.h"
#include "session/keyring.h"
#include "session/worker.h"
#include "test/unit/base/suite.h"

#include <pthread.h>
#include <string.h>

#define WORKERS 3
#define CLIENTS 3000

static struct hub hub;
static struct worker worker[WORKERS], *all[WORKERS];
static struct client client[CLIENTS];

static void setup(void)
{
	memset(&hub, 0, sizeof(hub));
	hub.workers = WORKERS;
	for (unsigned i = 0; i < WORKERS; i++) {
		memset(&worker[i], 0, sizeof(worker[i]));
		worker[i].home.hub = &hub;
		worker[i].all = all;
		all[i] = &worker[i];
		keyring_init(&worker[i].keyring);
	}
	memset(client, 0, sizeof(client));
	for (unsigned i = 0; i < CLIENTS; i++) {
		client[i].worker = &worker[i % WORKERS];
		client[i].id = i + 1;
		client[i].handle = 1000 + i;
		client[i].key_len = i % 2 ? KEYRING_KEY_LEN : KEYRING_KEY_LEN_3_0;
	}
}

static void teardown(void)
{
	for (unsigned i = 0; i < CLIENTS; i++)
		if (client[i].is_keyed)
			keyring_leave(&client[i]);
	for (unsigned i = 0; i < WORKERS; i++)
		keyring_fini(&worker[i].keyring);
}

struct greeting {
	uint32_t pid;
	uint8_t key[KEYRING_KEY_LEN];
	size_t len;
};

static struct greeting greeting_of(const struct client *c)
{
	struct greeting g = {.pid = 0};
	struct buf out;

	buf_init(&out, 0);
	keyring_greet(c, &out);
	ck_assert(!out.bad);
	ck_assert_int_eq(out.data[0], 'K');
	g.len = out.len - 9;
	ck_assert_uint_eq(g.len, c->key_len);
	g.pid = (uint32_t)out.data[5] << 24 | (uint32_t)out.data[6] << 16 | (uint32_t)out.data[7] << 8 | out.data[8];
	memcpy(g.key, out.data + 9, g.len);
	buf_fini(&out);
	return g;
}

static bool finds(const struct greeting *g, const struct client *c)
{
	struct keyring_hit hit = {.handle = 0};
	unsigned asking = (unsigned)(c->id % WORKERS);

	return keyring_find(&worker[asking], g->pid, g->key, g->len, &hit) && hit.worker == c->worker &&
	       hit.handle == c->handle;
}

START_TEST(own_key_finds_its_client)
{
	struct keyring_hit hit;

	for (unsigned i = 0; i < CLIENTS; i++)
		keyring_enter(&client[i], 0);
	for (unsigned i = 0; i < CLIENTS; i++) {
		struct greeting g = greeting_of(&client[i]);

		ck_assert_uint_eq(g.pid, client[i].cancel_pid);
		ck_assert_uint_ne(g.pid, 0);
		ck_assert_uint_eq(g.pid >> 31, 0);
		ck_assert(finds(&g, &client[i]));
		keyring_leave(&client[i]);
		/* a key of somebody who has left */
		ck_assert(!keyring_find(&worker[0], g.pid, g.key, g.len, &hit));
	}
}
END_TEST

START_TEST(wrong_keys_find_nobody)
{
	struct keyring_hit hit;

	for (unsigned i = 0; i < 100; i++)
		keyring_enter(&client[i], 0);
	for (unsigned i = 0; i < 100; i++) {
		struct greeting g = greeting_of(&client[i]), other = greeting_of(&client[(i + 2) % 100]), bad;
		uint8_t longer[256] = {0};

		for (size_t bit = 0; bit < g.len * 8; bit++) {
			bad = g;
			bad.key[bit / 8] ^= (uint8_t)(1u << bit % 8);
			ck_assert(!keyring_find(&worker[0], bad.pid, bad.key, bad.len, &hit));
		}
		/* a beginning of the key, and the key with more behind it */
		for (size_t len = 4; len < g.len; len++)
			ck_assert(!keyring_find(&worker[0], g.pid, g.key, len, &hit));
		memcpy(longer, g.key, g.len);
		ck_assert(!keyring_find(&worker[0], g.pid, longer, g.len + 1, &hit));
		ck_assert(!keyring_find(&worker[0], g.pid, longer, sizeof(longer), &hit));
		ck_assert(!keyring_find(&worker[0], g.pid, other.key, other.len, &hit));
		ck_assert(!keyring_find(&worker[0], g.pid ^ 1, g.key, g.len, &hit));
		ck_assert(!keyring_find(&worker[0], 0, g.key, g.len, &hit));
		memset(longer, 0, sizeof(longer));
		ck_assert(!keyring_find(&worker[0], g.pid, longer, g.len, &hit));
	}
}
END_TEST

/* Session mode tells clients their server's pid, which another client had before and may still have been told. */
START_TEST(clients_may_share_a_pid)
{
	for (unsigned i = 0; i < 300; i++)
		keyring_enter(&client[i], 4711 + i / 100);
	for (unsigned i = 0; i < 300; i++) {
		struct greeting g = greeting_of(&client[i]);

		ck_assert_uint_eq(g.pid, 4711 + i / 100);
		ck_assert(finds(&g, &client[i]));
	}
	for (unsigned i = 0; i < 300; i += 2)
		keyring_leave(&client[i]);
	for (unsigned i = 0; i < 300; i++) {
		struct greeting g = greeting_of(&client[i]);

		ck_assert(finds(&g, &client[i]) == (i % 2 == 1));
	}
}
END_TEST

START_TEST(keys_are_unique_and_look_random)
{
	static struct greeting g[CLIENTS];
	unsigned bits[KEYRING_KEY_LEN * 8] = {0}, longs = 0;

	for (unsigned i = 0; i < CLIENTS; i++) {
		client[i].key_len = KEYRING_KEY_LEN;
		keyring_enter(&client[i], 0);
		g[i] = greeting_of(&client[i]);
		for (unsigned b = 0; b < KEYRING_KEY_LEN * 8; b++)
			bits[b] += g[i].key[b / 8] >> b % 8 & 1;
		longs++;
	}
	for (unsigned i = 0; i < CLIENTS; i++)
		for (unsigned k = i + 1; k < CLIENTS; k++)
			ck_assert(memcmp(g[i].key, g[k].key, 8) != 0);
	/* each bit is set half of the time: within six standard deviations */
	for (unsigned b = 0; b < KEYRING_KEY_LEN * 8; b++)
		ck_assert(bits[b] > longs / 2 - 165 && bits[b] < longs / 2 + 165);
	/* the next life of the process, same numbers */
	teardown();
	setup();
	client[0].key_len = KEYRING_KEY_LEN;
	keyring_enter(&client[0], g[0].pid);
	struct greeting again = greeting_of(&client[0]);

	ck_assert(memcmp(again.key, g[0].key, 8) != 0);
}
END_TEST

static void *ask_all_the_time(void *arg)
{
	struct greeting *fixed = arg;
	struct keyring_hit hit;

	for (unsigned n = 0; n < 20000; n++) {
		ck_assert(keyring_find(&worker[1], fixed->pid, fixed->key, fixed->len, &hit));
		ck_assert(hit.handle == client[0].handle);
	}
	return NULL;
}

START_TEST(others_may_ask_while_clients_come_and_go) /* for the thread sanitizer */
{
	struct greeting fixed;
	pthread_t thread[2];

	keyring_enter(&client[0], 0);
	fixed = greeting_of(&client[0]);
	for (unsigned i = 0; i < ARRAY_LEN(thread); i++)
		ck_assert_int_eq(pthread_create(&thread[i], NULL, ask_all_the_time, &fixed), 0);
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = WORKERS; i < CLIENTS; i += WORKERS)
			keyring_enter(&client[i], round == 0 ? 0 : fixed.pid + i % 4);
		for (unsigned i = WORKERS; i < CLIENTS; i += WORKERS)
			keyring_leave(&client[i]);
	}
	for (unsigned i = 0; i < ARRAY_LEN(thread); i++)
		ck_assert_int_eq(pthread_join(thread[i], NULL), 0);
}
END_TEST

SUITE_MAIN_WITH("keyring", setup, teardown, own_key_finds_its_client, wrong_keys_find_nobody, clients_may_share_a_pid,
		keys_are_unique_and_look_random, others_may_ask_while_clients_come_and_go)
