/*
 * hash.c - SipHash, and a chained map on top of it.
 */
#include "base/hash.h"

#include "base/mem.h"
#include "base/rnd.h"

#include <string.h>

static inline uint64_t hash_rotl(uint64_t x, int b)
{
	return x << b | x >> (64 - b);
}

static inline void hash_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = hash_rotl(v[1], 13) ^ v[0];
	v[0] = hash_rotl(v[0], 32);
	v[2] += v[3];
	v[3] = hash_rotl(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = hash_rotl(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = hash_rotl(v[1], 17) ^ v[2];
	v[2] = hash_rotl(v[2], 32);
}

/* c rounds for each word and d at the end */
static inline uint64_t hash_sip(const uint64_t key[2], const void *p, size_t n, unsigned c, unsigned d)
{
	const uint8_t *at = p;
	uint64_t v[4] = {key[0] ^ UINT64_C(0x736f6d6570736575), key[1] ^ UINT64_C(0x646f72616e646f6d),
			 key[0] ^ UINT64_C(0x6c7967656e657261), key[1] ^ UINT64_C(0x7465646279746573)};
	uint64_t last = (uint64_t)n << 56;
	uint64_t word;

	for (size_t left = n; left >= 8; left -= 8, at += 8) {
		memcpy(&word, at, 8);
		v[3] ^= word;
		for (unsigned i = 0; i < c; i++)
			hash_round(v);
		v[0] ^= word;
	}
	for (size_t i = 0; i < (n & 7); i++)
		last |= (uint64_t)at[i] << (8 * i);
	v[3] ^= last;
	for (unsigned i = 0; i < c; i++)
		hash_round(v);
	v[0] ^= last;
	v[2] ^= 0xff;
	for (unsigned i = 0; i < d; i++)
		hash_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint64_t hash_bytes(const uint64_t key[2], const void *p, size_t n)
{
	return hash_sip(key, p, n, 1, 3);
}

uint64_t hash_mac(const uint64_t key[2], const void *p, size_t n)
{
	return hash_sip(key, p, n, 2, 4);
}

void hash_map_init(struct hash_map *m)
{
	*m = (struct hash_map){.slots = 0};
	rnd_secure(m->seed, sizeof(m->seed));
}

void hash_map_fini(struct hash_map *m)
{
	for (size_t i = 0; i < m->slots; i++) {
		struct hash_node *node = m->slot[i];

		while (node != NULL) {
			struct hash_node *next = node->next;

			mem_free(node);
			node = next;
		}
	}
	mem_free(m->slot);
	m->slot = NULL;
	m->slots = m->count = 0;
}

static struct hash_node **hash_map_link(const struct hash_map *m, const void *key, size_t n, uint64_t hash)
{
	struct hash_node **link = &m->slot[hash & (m->slots - 1)];

	while (*link != NULL &&
	       ((*link)->hash != hash || (*link)->key_len != n || memcmp((*link)->key, key, n) != 0))
		link = &(*link)->next;
	return link;
}

void *hash_map_get(const struct hash_map *m, const void *key, size_t n)
{
	struct hash_node *node;

	if (m->slots == 0)
		return NULL;
	node = *hash_map_link(m, key, n, hash_bytes(m->seed, key, n));
	return node != NULL ? node->value : NULL;
}

void *hash_map_find(const struct hash_map *m, const char *key)
{
	return hash_map_get(m, key, strlen(key));
}

/* -1: no memory; with slots already there, longer chains will do */
static int hash_map_grow(struct hash_map *m, bool must)
{
	size_t slots = m->slots ? m->slots * 2 : 16, bytes = slots * sizeof(struct hash_node *);
	struct hash_node **slot = must ? mem_zalloc(bytes) : mem_try_zalloc(bytes);

	if (slot == NULL)
		return m->slots != 0 ? 0 : -1;
	for (size_t i = 0; i < m->slots; i++) {
		struct hash_node *node = m->slot[i];

		while (node != NULL) {
			struct hash_node *next = node->next;

			node->next = slot[node->hash & (slots - 1)];
			slot[node->hash & (slots - 1)] = node;
			node = next;
		}
	}
	mem_free(m->slot);
	m->slot = slot;
	m->slots = slots;
	return 0;
}

static int hash_map_link_new(struct hash_map *m, const void *key, size_t n, uint64_t hash, void *value, bool must)
{
	struct hash_node *node, **link;

	if (m->count >= m->slots && hash_map_grow(m, must) < 0)
		return -1;
	node = must ? mem_alloc(sizeof(*node) + n + 1) : mem_try_alloc(sizeof(*node) + n + 1);
	if (node == NULL)
		return -1;
	link = &m->slot[hash & (m->slots - 1)];
	*node = (struct hash_node){.next = *link, .hash = hash, .key_len = n, .value = value};
	memcpy(node->key, key, n);
	node->key[n] = '\0';
	*link = node;
	m->count++;
	return 0;
}

void *hash_map_put(struct hash_map *m, const void *key, size_t n, void *value)
{
	uint64_t hash = hash_bytes(m->seed, key, n);
	struct hash_node *node = m->slots > 0 ? *hash_map_link(m, key, n, hash) : NULL;
	void *old = NULL;

	CHECK(value != NULL);
	if (node != NULL) {
		old = node->value;
		node->value = value;
	} else {
		CHECK(hash_map_link_new(m, key, n, hash, value, true) == 0);
	}
	return old;
}

int hash_map_try_add(struct hash_map *m, const void *key, size_t n, void *value)
{
	return hash_map_link_new(m, key, n, hash_bytes(m->seed, key, n), value, false);
}

void *hash_map_take(struct hash_map *m, const void *key, size_t n)
{
	struct hash_node **link, *node;
	void *value;

	if (m->slots == 0)
		return NULL;
	link = hash_map_link(m, key, n, hash_bytes(m->seed, key, n));
	node = *link;
	if (node == NULL)
		return NULL;
	value = node->value;
	*link = node->next;
	mem_free(node);
	m->count--;
	return value;
}

struct hash_node *hash_map_next(const struct hash_map *m, struct hash_iter *it)
{
	if (it->node != NULL) {
		it->node = it->node->next;
		if (it->node == NULL)
			it->slot++;
	}
	while (it->node == NULL && it->slot < m->slots) {
		it->node = m->slot[it->slot];
		if (it->node == NULL)
			it->slot++;
	}
	return it->node;
}
