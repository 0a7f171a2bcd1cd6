/*
 * mem.c - malloc and free, and the count of objects by kind.
 *
 * Any thread.  Must not log (the log allocates nothing, but may be the caller).
 * Each thread writes counters of its own; an object may be freed by another thread than
 * the one that made it, so a single one may be "negative" and only the sum means something.
 */
#include "base/mem.h"

#include "base/stock.h"

#include <malloc.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* the last is for all threads that came too late for one of their own: workers are never among them */
#define MEM_SLOTS 64

struct mem_slot {
	_Alignas(128) size_t calls; /* neighbours are fetched in pairs of cache lines */
	size_t library_blocks, library_bytes;
	struct {
		size_t size, used, bytes;
	} kind[MEM_KIND_COUNT];
	bool has_stock; /* of libraries' blocks */
	struct stock stock;
};

static struct mem_slot mem_slots[MEM_SLOTS];
static _Atomic unsigned mem_threads;
static _Thread_local struct mem_slot *mem_mine;
static _Thread_local size_t *mem_account;

static const char *const mem_names[MEM_KIND_COUNT] = {
#define MEM_KIND(id, name) [MEM_##id] = name,
#include "base/mem.def"
#undef MEM_KIND
};

static struct mem_slot *mem_slot(void)
{
	if (FX_UNLIKELY(mem_mine == NULL)) {
		unsigned n = atomic_fetch_add_explicit(&mem_threads, 1, memory_order_relaxed);

		mem_mine = &mem_slots[n < MEM_SLOTS ? n : MEM_SLOTS - 1];
	}
	return mem_mine;
}

static void mem_bump(struct mem_slot *slot, size_t *counter, size_t by)
{
	if (slot == &mem_slots[MEM_SLOTS - 1])
		(void)__atomic_fetch_add(counter, by, __ATOMIC_RELAXED);
	else
		__atomic_store_n(counter, *counter + by, __ATOMIC_RELAXED);
}

size_t mem_cost(const void *p)
{
	return p != NULL ? malloc_usable_size((void *)(uintptr_t)p) + sizeof(size_t) : 0;
}

/* p has come from the heap */
static void *mem_took(void *p)
{
	struct mem_slot *slot = mem_slot();

	mem_bump(slot, &slot->calls, 1);
	if (mem_account != NULL)
		*mem_account += mem_cost(p);
	return p;
}

/* p goes back there */
static void *mem_gives(void *p)
{
	if (mem_account != NULL)
		*mem_account -= mem_cost(p);
	return p;
}

size_t *mem_charge(size_t *account)
{
	size_t *former = mem_account;

	mem_account = account;
	return former;
}

static void *mem_resize(void *p, size_t size)
{
	size_t before = mem_account != NULL ? mem_cost(p) : 0;
	void *q = realloc(p, size ? size : 1);

	if (q != NULL && mem_account != NULL)
		*mem_account -= before;
	return mem_took(q);
}

void *mem_alloc(size_t size)
{
	void *p = mem_took(malloc(size ? size : 1));

	CHECK(p != NULL);
	return p;
}

void *mem_zalloc(size_t size)
{
	void *p = mem_took(calloc(1, size ? size : 1));

	CHECK(p != NULL);
	return p;
}

void *mem_aligned_zalloc(size_t align, size_t size)
{
	size_t whole = (size + align - 1) & ~(align - 1);
	void *p = mem_took(aligned_alloc(align, whole));

	CHECK(p != NULL);
	memset(p, 0, whole);
	return p;
}

void *mem_realloc(void *p, size_t size)
{
	void *q = mem_resize(p, size);

	CHECK(q != NULL);
	return q;
}

char *mem_strndup(const char *s, size_t n)
{
	size_t len = strnlen(s, n);
	char *p = mem_alloc(len + 1);

	memcpy(p, s, len);
	p[len] = '\0';
	return p;
}

char *mem_strdup(const char *s)
{
	return mem_strndup(s, strlen(s));
}

void *mem_try_alloc(size_t size)
{
	return mem_took(malloc(size ? size : 1));
}

char *mem_try_strdup(const char *s)
{
	size_t size = strlen(s) + 1;
	char *p = mem_try_alloc(size);

	return p != NULL ? memcpy(p, s, size) : NULL;
}

void *mem_try_zalloc(size_t size)
{
	return mem_took(calloc(1, size ? size : 1));
}

void *mem_try_realloc(void *p, size_t size)
{
	return mem_resize(p, size);
}

void mem_free(void *p)
{
	free(mem_gives(p));
}

void *mem_object_new(enum mem_kind kind, size_t size)
{
	struct mem_slot *slot = mem_slot();
	void *p = mem_try_zalloc(size);

	if (p == NULL)
		return NULL;
	__atomic_store_n(&slot->kind[kind].size, size, __ATOMIC_RELAXED);
	mem_bump(slot, &slot->kind[kind].used, 1);
	mem_bump(slot, &slot->kind[kind].bytes, size);
	return p;
}

void mem_object_free(enum mem_kind kind, void *p, size_t size)
{
	struct mem_slot *slot = mem_slot();

	if (p == NULL)
		return;
	mem_bump(slot, &slot->kind[kind].used, (size_t)-1);
	mem_bump(slot, &slot->kind[kind].bytes, 0 - size);
	mem_free(p);
}

void mem_usage_get(enum mem_kind kind, struct mem_usage *out)
{
	*out = (struct mem_usage){.name = mem_names[kind]};
	for (unsigned i = 0; i < MEM_SLOTS; i++) {
		size_t size = __atomic_load_n(&mem_slots[i].kind[kind].size, __ATOMIC_RELAXED);

		out->size = size != 0 ? size : out->size;
		out->used += __atomic_load_n(&mem_slots[i].kind[kind].used, __ATOMIC_RELAXED);
		out->bytes += __atomic_load_n(&mem_slots[i].kind[kind].bytes, __ATOMIC_RELAXED);
	}
}

static size_t mem_class(void *p)
{
	return stock_class_of(malloc_usable_size(p));
}

/* what to add; less than nothing is taken off */
static void mem_library(struct mem_slot *slot, size_t calls, size_t blocks, size_t cost)
{
	mem_bump(slot, &slot->calls, calls);
	mem_bump(slot, &slot->library_blocks, blocks);
	mem_bump(slot, &slot->library_bytes, cost);
	if (mem_account != NULL)
		*mem_account += cost;
}

void *mem_library_alloc(size_t size)
{
	struct mem_slot *slot = mem_slot();
	size_t class;
	void *p;

	if (size > PTRDIFF_MAX)
		return NULL;
	class = stock_class_for(size);
	p = slot->has_stock ? stock_take(&slot->stock, class) : NULL;
	if (p == NULL) {
		p = malloc(stock_room(class));
		if (p == NULL)
			return NULL;
		class = mem_class(p);
	}
	mem_library(slot, 1, 1, stock_cost(class));
	return p;
}

void *mem_library_realloc(void *p, size_t size)
{
	struct mem_slot *slot = mem_slot();
	size_t former;
	void *q;

	if (p == NULL)
		return mem_library_alloc(size);
	former = mem_class(p);
	q = size <= PTRDIFF_MAX ? realloc(p, stock_room(stock_class_for(size))) : NULL;
	if (q != NULL)
		mem_library(slot, 1, 0, stock_cost(mem_class(q)) - stock_cost(former));
	return q;
}

void mem_library_free(void *p)
{
	struct mem_slot *slot = mem_slot();
	size_t class;

	if (p == NULL)
		return;
	class = mem_class(p);
	mem_library(slot, 0, (size_t)-1, 0 - stock_cost(class));
	if (!slot->has_stock || !stock_keep(&slot->stock, p, class))
		free(p);
}

void mem_library_keep(void)
{
	struct mem_slot *slot = mem_slot();

	/* a slot that threads share keeps nothing */
	slot->has_stock = slot != &mem_slots[MEM_SLOTS - 1];
}

void mem_library_keep_nothing(void)
{
	struct mem_slot *slot = mem_slot();
	void *p;

	if (!slot->has_stock)
		return;
	slot->has_stock = false;
	while ((p = stock_empty(&slot->stock)) != NULL)
		free(p);
}

void mem_totals_get(struct mem_totals *out)
{
	*out = (struct mem_totals){.calls = 0};
	for (unsigned i = 0; i < MEM_SLOTS; i++) {
		out->calls += __atomic_load_n(&mem_slots[i].calls, __ATOMIC_RELAXED);
		out->library_blocks += __atomic_load_n(&mem_slots[i].library_blocks, __ATOMIC_RELAXED);
		out->library_bytes += __atomic_load_n(&mem_slots[i].library_bytes, __ATOMIC_RELAXED);
		stock_add(&mem_slots[i].stock, &out->kept_blocks, &out->kept_bytes);
	}
}
