/*
 * hash.h - keyed hash of bytes, and a map from byte strings to pointers.
 *
 * One thread at a time.  The key is chosen by chance at process start of each
 * map, so that peers who choose the strings cannot make them collide.
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include "base/check.h"

/* SipHash-1-3 of n bytes (Aumasson, Bernstein: "SipHash: a fast short-input PRF"). */
uint64_t hash_bytes(const uint64_t key[2], const void *p, size_t n);
/* SipHash-2-4 of n bytes: the authors' choice where the result must not be guessed by whoever sees others. */
uint64_t hash_mac(const uint64_t key[2], const void *p, size_t n);

struct hash_node {
	struct hash_node *next;
	uint64_t hash;
	size_t key_len;
	void *value;
	char key[]; /* NUL-terminated copy */
};

struct hash_map {
	uint64_t seed[2];
	struct hash_node **slot;
	size_t slots; /* power of two, 0 before the first put */
	size_t count;
};

void hash_map_init(struct hash_map *m);
void hash_map_fini(struct hash_map *m); /* frees the nodes, not the values */
/* The value, or NULL. */
void *hash_map_get(const struct hash_map *m, const void *key, size_t n);
void *hash_map_find(const struct hash_map *m, const char *key);
/* Adds or replaces; gives the former value or NULL.  value must not be NULL.  Aborts without memory. */
void *hash_map_put(struct hash_map *m, const void *key, size_t n, void *value);
/* Adds a key that is not there; for what a peer decides.  -1: no memory. */
int hash_map_try_add(struct hash_map *m, const void *key, size_t n, void *value) FX_MUST_USE;
/* Removes; gives the value or NULL. */
void *hash_map_take(struct hash_map *m, const void *key, size_t n);
/* Walks all entries in no special order: start with *it zeroed; NULL at the end.
 * The map must not change in between. */
struct hash_iter {
	size_t slot;
	struct hash_node *node;
};
struct hash_node *hash_map_next(const struct hash_map *m, struct hash_iter *it);

#endif
