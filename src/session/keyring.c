/*
 * keyring.c - which client a cancel key belongs to.
 */
#include "session/keyring.h"

#include "base/hash.h"
#include "base/mem.h"
#include "base/rnd.h"
#include "base/secret.h"
#include "proto/reply.h"
#include "session/worker.h"

#include <string.h>

#define KEYRING_SLOTS 256

void keyring_init(struct keyring *r)
{
	lock_init(&r->lock);
	r->slots = KEYRING_SLOTS;
	r->count = 0;
	r->slot = mem_zalloc(r->slots * sizeof(struct client *));
	rnd_secure(r->secret, sizeof(r->secret));
}

void keyring_fini(struct keyring *r)
{
	CHECK(r->count == 0);
	mem_free(r->slot);
	r->slot = NULL;
	secret_wipe(r->secret, sizeof(r->secret));
	lock_fini(&r->lock);
}

static struct client **keyring_slot(const struct keyring *r, uint32_t pid)
{
	/* process ids come one after the other: spread them (a pid is no secret, and nobody chooses his own) */
	uint32_t hash = pid * UINT32_C(0x9e3779b1);

	return &r->slot[(hash ^ hash >> 15) & (r->slots - 1)];
}

/* A client's number is used once in the life of the process, so the key is too. */
static void keyring_key(const struct keyring *r, uint64_t id, uint32_t pid, uint8_t key[KEYRING_KEY_LEN])
{
	uint64_t text[3] = {id, pid, 0};

	for (size_t at = 0; at < KEYRING_KEY_LEN; at += sizeof(uint64_t), text[2]++) {
		uint64_t word = hash_mac(r->secret, text, sizeof(text));

		memcpy(key + at, &word, sizeof(word));
	}
}

static void keyring_push(struct keyring *r, struct client *c)
{
	struct client **slot = keyring_slot(r, c->cancel_pid);

	c->key_next = *slot;
	*slot = c;
}

static void keyring_grow(struct keyring *r)
{
	struct client **old = r->slot;
	unsigned old_slots = r->slots;

	r->slots *= 2;
	r->slot = mem_zalloc(r->slots * sizeof(struct client *));
	for (unsigned i = 0; i < old_slots; i++) {
		while (old[i] != NULL) {
			struct client *c = old[i];

			old[i] = c->key_next;
			keyring_push(r, c);
		}
	}
	mem_free(old);
}

static bool keyring_has_pid(const struct keyring *r, uint32_t pid)
{
	for (const struct client *c = *keyring_slot(r, pid); c != NULL; c = c->key_next)
		if (c->cancel_pid == pid)
			return true;
	return false;
}

void keyring_enter(struct client *c, uint32_t pid)
{
	struct keyring *r = &c->worker->keyring;

	CHECK(!c->is_keyed && (c->key_len == KEYRING_KEY_LEN || c->key_len == KEYRING_KEY_LEN_3_0));
	lock_take(&r->lock);
	c->cancel_pid = pid;
	while (c->cancel_pid == 0) {
		/* positive: some drivers keep it as a signed number */
		rnd_secure(&c->cancel_pid, sizeof(c->cancel_pid));
		c->cancel_pid &= UINT32_C(0x7fffffff);
		if (keyring_has_pid(r, c->cancel_pid))
			c->cancel_pid = 0;
	}
	if (r->count >= r->slots)
		keyring_grow(r);
	keyring_push(r, c);
	r->count++;
	c->is_keyed = true;
	lock_drop(&r->lock);
}

void keyring_leave(struct client *c)
{
	struct keyring *r = &c->worker->keyring;
	struct client **at;

	lock_take(&r->lock);
	at = keyring_slot(r, c->cancel_pid);
	while (*at != c)
		at = &(*at)->key_next;
	*at = c->key_next;
	r->count--;
	c->is_keyed = false;
	lock_drop(&r->lock);
}

void keyring_greet(const struct client *c, struct buf *out)
{
	uint8_t key[KEYRING_KEY_LEN];

	keyring_key(&c->worker->keyring, c->id, c->cancel_pid, key);
	(void)reply_backend_key(out, c->cancel_pid, key, c->key_len);
	secret_wipe(key, sizeof(key));
}

/* Whose key is it?  Gives how many it fits: two clients of one pid may, once in 2^32 times, have the same short key. */
static unsigned keyring_find_in(struct worker *w, uint32_t pid, const void *key, size_t key_len,
				struct keyring_hit *hit, unsigned *compared)
{
	struct keyring *r = &w->keyring;
	uint8_t want[KEYRING_KEY_LEN];
	unsigned found = 0;

	lock_take(&r->lock);
	for (const struct client *c = *keyring_slot(r, pid); c != NULL; c = c->key_next) {
		if (c->cancel_pid != pid)
			continue;
		(*compared)++;
		keyring_key(r, c->id, pid, want);
		if (secret_is_equal(want, c->key_len, key, key_len)) {
			*hit = (struct keyring_hit){.worker = w, .handle = c->handle};
			found++;
		}
	}
	lock_drop(&r->lock);
	secret_wipe(want, sizeof(want));
	return found;
}

bool keyring_find(struct worker *asking, uint32_t pid, const void *key, size_t key_len, struct keyring_hit *hit)
{
	unsigned found = 0, compared = 0;

	for (unsigned i = 0; i < asking->home.hub->workers; i++)
		found += keyring_find_in(asking->all[i], pid, key, key_len, hit, &compared);
	if (compared == 0) {
		/* the same work as for a pid that somebody has: the time shall not tell which pids there are */
		uint8_t key_of_nobody[KEYRING_KEY_LEN];

		keyring_key(&asking->keyring, 0, pid, key_of_nobody);
		(void)secret_is_equal(key_of_nobody, sizeof(key_of_nobody), key, key_len);
	}
	return found == 1;
}
