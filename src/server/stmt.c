/*
 * stmt.c - the text of a prepared statement, kept once per process.
 */
#include "server/stmt.h"

#include "base/hash.h"
#include "base/lock.h"
#include "base/mem.h"
#include "base/rnd.h"
#include "base/weight.h"

#include <stdatomic.h>
#include <string.h>

#define STMT_PARTS 64
#define STMT_PREFIX "fx_"
#define STMT_PREFIX_LEN 3

struct stmt_part {
	_Alignas(64) struct lock lock;
	struct stmt **slot;
	size_t slots, count; /* slots: a power of two, 0 before the first statement */
};

struct stmt_store {
	uint64_t key[2][2];
	_Atomic size_t max;
	_Atomic uint32_t changes; /* a Bind reads it */
	_Alignas(64) _Atomic size_t bytes; /* a Parse writes it */
	struct stmt_part parts[STMT_PARTS];
};

_Static_assert(sizeof(struct stmt_part) % 64 == 0, "lines of its own");
_Static_assert(offsetof(struct stmt_store, bytes) >= 64, "not beside what is only read");

struct stmt_store *stmt_store_new(size_t max)
{
	struct stmt_store *store = mem_aligned_zalloc(64, sizeof(*store));

	rnd_secure(store->key, sizeof(store->key));
	atomic_init(&store->bytes, 0);
	atomic_init(&store->max, max);
	atomic_init(&store->changes, 0);
	for (size_t i = 0; i < STMT_PARTS; i++)
		lock_init(&store->parts[i].lock);
	return store;
}

void stmt_store_free(struct stmt_store *store)
{
	for (size_t i = 0; i < STMT_PARTS; i++) {
		CHECK(store->parts[i].count == 0);
		mem_free(store->parts[i].slot);
		lock_fini(&store->parts[i].lock);
	}
	mem_free(store);
}

void stmt_store_limit(struct stmt_store *store, size_t max)
{
	atomic_store_explicit(&store->max, max, memory_order_relaxed);
}

size_t stmt_store_bytes(const struct stmt_store *store)
{
	return atomic_load_explicit(&store->bytes, memory_order_relaxed);
}

size_t stmt_store_room(const struct stmt_store *store)
{
	size_t max = atomic_load_explicit(&store->max, memory_order_relaxed), now = stmt_store_bytes(store);

	return now < max ? max - now : 0;
}

void stmt_store_outdate(struct stmt_store *store)
{
	atomic_fetch_add_explicit(&store->changes, 1, memory_order_relaxed);
}

uint32_t stmt_store_changes(const struct stmt_store *store)
{
	return atomic_load_explicit(&store->changes, memory_order_relaxed);
}

bool stmt_charge(struct stmt_store *store, size_t bytes)
{
	size_t now = atomic_fetch_add_explicit(&store->bytes, bytes, memory_order_relaxed) + bytes;

	if (now <= atomic_load_explicit(&store->max, memory_order_relaxed))
		return true;
	stmt_discharge(store, bytes);
	return false;
}

void stmt_discharge(struct stmt_store *store, size_t bytes)
{
	atomic_fetch_sub_explicit(&store->bytes, bytes, memory_order_relaxed);
}

struct stmt_id stmt_id_of(const struct stmt_store *store, const void *body, size_t n)
{
	return (struct stmt_id){{hash_bytes(store->key[0], body, n), hash_bytes(store->key[1], body, n)}};
}

void stmt_name(struct stmt_id id, char out[STMT_NAME_LEN + 1])
{
	static const char digits[] = "0123456789abcdef";

	memcpy(out, STMT_PREFIX, STMT_PREFIX_LEN);
	for (size_t i = 0; i < 32; i++)
		out[STMT_PREFIX_LEN + i] = digits[id.word[i / 16] >> (60 - 4 * (i % 16)) & 15];
	out[STMT_NAME_LEN] = '\0';
}

static int stmt_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool stmt_find_name(const char *text, const char **at, struct stmt_id *id)
{
	for (const char *p = strstr(text, STMT_PREFIX); p != NULL; p = strstr(p + 1, STMT_PREFIX)) {
		size_t i;

		*id = (struct stmt_id){{0, 0}};
		for (i = 0; i < 32 && stmt_digit(p[STMT_PREFIX_LEN + i]) >= 0; i++)
			id->word[i / 16] = id->word[i / 16] << 4 | (uint64_t)stmt_digit(p[STMT_PREFIX_LEN + i]);
		if (i == 32) {
			*at = p;
			return true;
		}
	}
	return false;
}

static struct stmt_part *stmt_part_of(struct stmt_store *store, struct stmt_id id)
{
	return &store->parts[id.word[1] % STMT_PARTS];
}

static struct stmt **stmt_link(struct stmt_part *part, struct stmt_id id)
{
	struct stmt **link = &part->slot[id.word[0] & (part->slots - 1)];

	while (*link != NULL && !stmt_id_is_equal((*link)->id, id))
		link = &(*link)->next;
	return link;
}

static bool stmt_grow(struct stmt_part *part)
{
	size_t slots = part->slots != 0 ? part->slots * 2 : 16;
	struct stmt **slot = mem_try_zalloc(slots * sizeof(*slot));

	if (slot == NULL)
		return part->slots != 0; /* longer chains will do */
	for (size_t i = 0; i < part->slots; i++) {
		struct stmt *stmt = part->slot[i];

		while (stmt != NULL) {
			struct stmt *next = stmt->next;

			stmt->next = slot[stmt->id.word[0] & (slots - 1)];
			slot[stmt->id.word[0] & (slots - 1)] = stmt;
			stmt = next;
		}
	}
	mem_free(part->slot);
	part->slot = slot;
	part->slots = slots;
	return true;
}

static enum stmt_answer stmt_add(struct stmt_store *store, struct stmt_part *part, struct stmt_id id, const void *body,
				 size_t n, struct stmt **out)
{
	struct stmt *stmt, **link;

	if (!stmt_charge(store, sizeof(*stmt) + n))
		return STMT_FULL;
	stmt = mem_object_new(MEM_PREPARED, sizeof(*stmt) + n);
	if (stmt == NULL || (part->count >= part->slots && !stmt_grow(part))) {
		if (stmt != NULL)
			mem_object_free(MEM_PREPARED, stmt, sizeof(*stmt) + n);
		stmt_discharge(store, sizeof(*stmt) + n);
		return STMT_NO_MEMORY;
	}
	stmt->store = store;
	stmt->refs = 1;
	stmt->len = (uint32_t)n;
	stmt->id = id;
	stmt_name(id, stmt->name);
	memcpy(stmt->body, body, n);
	link = &part->slot[id.word[0] & (part->slots - 1)];
	stmt->next = *link;
	*link = stmt;
	part->count++;
	*out = stmt;
	return STMT_OK;
}

enum stmt_answer stmt_intern(struct stmt_store *store, const void *body, size_t n, struct stmt **out)
{
	struct stmt_id id = stmt_id_of(store, body, n);
	struct stmt_part *part = stmt_part_of(store, id);
	enum stmt_answer answer = STMT_OK;
	struct stmt *stmt = NULL;

	lock_take(&part->lock);
	if (part->slots > 0)
		stmt = *stmt_link(part, id);
	if (stmt == NULL) {
		answer = stmt_add(store, part, id, body, n, out);
	} else {
		/* two texts of one keyed 128-bit hash: it will not happen, and must not go on if it does */
		CHECK(stmt->len == n && memcmp(stmt->body, body, n) == 0);
		stmt->refs++;
		*out = stmt;
	}
	lock_drop(&part->lock);
	return answer;
}

struct stmt *stmt_ref(struct stmt *stmt)
{
	struct stmt_part *part = stmt_part_of(stmt->store, stmt->id);

	lock_take(&part->lock);
	stmt->refs++;
	lock_drop(&part->lock);
	return stmt;
}

void stmt_unref(struct stmt *stmt)
{
	struct stmt_store *store;
	struct stmt_part *part;
	bool is_last;

	if (stmt == NULL)
		return;
	store = stmt->store;
	part = stmt_part_of(store, stmt->id);
	lock_take(&part->lock);
	is_last = --stmt->refs == 0;
	if (is_last) {
		*stmt_link(part, stmt->id) = stmt->next;
		part->count--;
	}
	lock_drop(&part->lock);
	if (!is_last)
		return;
	stmt_discharge(store, sizeof(*stmt) + stmt->len);
	mem_object_free(MEM_PREPARED, stmt, sizeof(*stmt) + stmt->len);
}

void stmt_store_weigh(struct stmt_store *store, struct weight *to)
{
	weight_block(to, WEIGHT_STATEMENT_TEXTS, store);
	for (unsigned i = 0; i < STMT_PARTS; i++) {
		struct stmt_part *part = &store->parts[i];

		lock_take(&part->lock);
		weight_block(to, WEIGHT_STATEMENT_TEXTS, part->slot);
		for (size_t k = 0; k < part->slots; k++)
			for (const struct stmt *stmt = part->slot[k]; stmt != NULL; stmt = stmt->next)
				weight_object(to, WEIGHT_STATEMENT_TEXTS, stmt);
		lock_drop(&part->lock);
	}
}
