/*
 * scram_cache.c - a bounded map from (user, password, salt, iterations) to SCRAM keys.
 *
 * The map's key is an HMAC under a key of chance, so neither a password nor anything
 * from which one could be tested offline is kept beside the SCRAM keys themselves.
 */
#include "auth/scram_cache.h"

#include "auth/scramkey.h"
#include "base/rnd.h"
#include "base/vault.h"

#include <string.h>

#include "base/poison.h"

struct entry {
	struct dlist node;
	uint8_t id[SCRAMKEY_LEN];
	struct credential_keys keys;
};

void scram_cache_init(struct scram_cache *c, size_t capacity, const uint8_t process_key[32])
{
	CHECK(capacity > 0);
	*c = (struct scram_cache){.capacity = capacity};
	hash_map_init(&c->map);
	dlist_init(&c->lru);
	rnd_secure(c->digest_key, sizeof(c->digest_key));
	memcpy(c->process_key, process_key, sizeof(c->process_key));
}

static void drop(struct scram_cache *c, struct entry *e)
{
	dlist_remove(&e->node);
	CHECK(hash_map_take(&c->map, e->id, sizeof(e->id)) == e);
	vault_free(e, sizeof(*e));
}

void scram_cache_clear(struct scram_cache *c)
{
	struct dlist *node;

	while ((node = dlist_first(&c->lru)) != NULL)
		drop(c, container_of(node, struct entry, node));
}

void scram_cache_fini(struct scram_cache *c)
{
	scram_cache_clear(c);
	scramjob_free(c->wanted);
	c->wanted = NULL;
	hash_map_fini(&c->map);
	secret_wipe(c->digest_key, sizeof(c->digest_key));
	secret_wipe(c->process_key, sizeof(c->process_key));
}

/* Each part is digested by itself first: fixed lengths, so that no two questions look alike. */
static void name_question(const struct scram_cache *c, const char *user, const void *password, size_t n,
	const uint8_t *salt, size_t salt_len, uint32_t iterations, uint8_t id[SCRAMKEY_LEN])
{
	uint8_t parts[3 * SCRAMKEY_LEN + sizeof(iterations)];

	scramkey_sign(c->digest_key, user, strlen(user), parts);
	scramkey_sign(c->digest_key, n > 0 ? password : "", n, parts + SCRAMKEY_LEN);
	scramkey_sign(c->digest_key, salt, salt_len, parts + 2 * SCRAMKEY_LEN);
	memcpy(parts + 3 * SCRAMKEY_LEN, &iterations, sizeof(iterations));
	scramkey_sign(c->digest_key, parts, sizeof(parts), id);
	secret_wipe(parts, sizeof(parts));
}

static bool is_lent(const struct scram_cache *c, const uint8_t id[SCRAMKEY_LEN])
{
	return c->lent != NULL && memcmp(c->lent->id, id, SCRAMKEY_LEN) == 0;
}

/* What is in nobody's cache: lent, or to be computed, here or elsewhere. */
static int derive(struct scram_cache *c, const uint8_t id[SCRAMKEY_LEN], const void *password, size_t n,
	const uint8_t *salt, size_t salt_len, uint32_t iterations, struct credential_keys *out)
{
	if (is_lent(c, id)) {
		*out = c->lent->keys;
		return c->lent->keys.is_set ? 0 : -1;
	}
	c->derivations++;
	if (c->here_max == 0 || iterations <= c->here_max || iterations > SCRAMKEY_ITERATIONS_MAX)
		return scramkey_derive(password, n, salt, salt_len, iterations, out);
	*out = (struct credential_keys){0};
	scramjob_free(c->wanted);
	c->wanted = scramjob_new(id, password, n, salt, salt_len, iterations);
	return -1;
}

struct scramjob *scram_cache_take_job(struct scram_cache *c)
{
	struct scramjob *job = c->wanted;

	c->wanted = NULL;
	return job;
}

void scram_cache_lend(struct scram_cache *c, const struct scramjob *job)
{
	c->lent = job;
}

static bool find(struct scram_cache *c, const uint8_t id[SCRAMKEY_LEN], struct credential_keys *out)
{
	struct entry *e = hash_map_get(&c->map, id, SCRAMKEY_LEN);

	if (e == NULL)
		return false;
	dlist_remove(&e->node);
	dlist_push_front(&c->lru, &e->node);
	*out = e->keys;
	c->hits++;
	return true;
}

static void keep(struct scram_cache *c, const uint8_t id[SCRAMKEY_LEN], const struct credential_keys *keys)
{
	struct entry *e;

	if (hash_map_get(&c->map, id, SCRAMKEY_LEN) != NULL)
		return;
	if (c->map.count >= c->capacity)
		drop(c, container_of(dlist_last(&c->lru), struct entry, node));
	e = vault_alloc(sizeof(*e));
	memcpy(e->id, id, SCRAMKEY_LEN);
	e->keys = *keys;
	CHECK(hash_map_put(&c->map, id, SCRAMKEY_LEN, e) == NULL);
	dlist_init(&e->node);
	dlist_push_front(&c->lru, &e->node);
}

int scram_cache_try(struct scram_cache *c, const char *user, const void *password, size_t n,
	const uint8_t *salt, size_t salt_len, uint32_t iterations, struct credential_keys *out)
{
	uint8_t id[SCRAMKEY_LEN];

	name_question(c, user, password, n, salt, salt_len, iterations, id);
	if (find(c, id, out))
		return 0;
	return derive(c, id, password, n, salt, salt_len, iterations, out);
}

void scram_cache_keep(struct scram_cache *c, const char *user, const void *password, size_t n,
	const uint8_t *salt, size_t salt_len, uint32_t iterations, const struct credential_keys *keys)
{
	uint8_t id[SCRAMKEY_LEN];

	name_question(c, user, password, n, salt, salt_len, iterations, id);
	keep(c, id, keys);
}

int scram_cache_derive(struct scram_cache *c, const char *user, const void *password, size_t n,
	const uint8_t *salt, size_t salt_len, uint32_t iterations, struct credential_keys *out)
{
	uint8_t id[SCRAMKEY_LEN];

	name_question(c, user, password, n, salt, salt_len, iterations, id);
	if (find(c, id, out))
		return 0;
	if (derive(c, id, password, n, salt, salt_len, iterations, out) < 0)
		return -1;
	keep(c, id, out);
	return 0;
}

void scram_cache_pretend(
	struct scram_cache *c, const char *user, const uint8_t *salt, size_t salt_len, uint32_t iterations)
{
	uint8_t id[SCRAMKEY_LEN];
	struct credential_keys none;

	/* a digest, not a password: no question of a real login has this name */
	name_question(c, user, c->process_key, sizeof(c->process_key), salt, salt_len, iterations, id);
	(void)find(c, id, &none);
}
