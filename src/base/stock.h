/*
 * stock.h - blocks that a library has given back, kept for what it asks for next.
 *
 * A TLS handshake takes and gives back 730 blocks, and each record one of 16 KiB: more of a size at once, and bigger
 * ones, than malloc keeps at hand.  For base/mem.c, where each worker has one; used by one thread.  Blocks come in classes
 * of 16 bytes, cut as glibc cuts them; the contents of one are not touched: whoever kept a secret in it has wiped it, as for free.
 */
#ifndef BASE_STOCK_H
#define BASE_STOCK_H

#include "base/check.h"

#ifdef FX_ADDRESS_SANITIZER
#include <sanitizer/asan_interface.h>
#define STOCK_POISON(p, n)   ASAN_POISON_MEMORY_REGION(p, n)
#define STOCK_UNPOISON(p, n) ASAN_UNPOISON_MEMORY_REGION(p, n)
#else
#define STOCK_POISON(p, n)   ((void)(p))
#define STOCK_UNPOISON(p, n) ((void)(p))
#endif

#define STOCK_BYTES   ((size_t)384 * 1024) /* of all blocks in it */
#define STOCK_STEP    16
#define STOCK_REST    8                        /* of a step the heap leaves this much */
#define STOCK_CLASSES (17 * 1024 / STOCK_STEP) /* a record of TLS with room for its head is in */

/* of one class: this much, or two of them */
#define STOCK_CLASS_BYTES ((size_t)8 * 1024)
#define STOCK_CLASS_MIN   2

struct stock_block {
	struct stock_block *next;
};

struct stock {
	size_t bytes; /* of all, with the heap's own part */
	struct stock_block *top[STOCK_CLASSES];
	uint16_t count[STOCK_CLASSES]; /* others read them: relaxed */
};

/* bytes that a block of the class has room for */
static inline size_t stock_room(size_t class)
{
	return class * STOCK_STEP + STOCK_REST;
}

/* what one costs, with the heap's own part */
static inline size_t stock_cost(size_t class)
{
	return (class + 1) * STOCK_STEP;
}

/* the smallest with room for size, which is PTRDIFF_MAX at most */
static inline size_t stock_class_for(size_t size)
{
	return size <= STOCK_STEP + STOCK_REST ? 1 : (size - STOCK_REST + STOCK_STEP - 1) / STOCK_STEP;
}

/* that of a block that has room for usable, as asked for with stock_room */
static inline size_t stock_class_of(size_t usable)
{
	return (usable - STOCK_REST) / STOCK_STEP;
}

static inline void stock_count(struct stock *s, size_t class, int by)
{
	__atomic_store_n(&s->count[class], (uint16_t)(s->count[class] + by), __ATOMIC_RELAXED);
	s->bytes += (size_t)by * stock_cost(class);
}

/* Gives a block of the class, of any size; NULL: there is none. */
static inline void *stock_take(struct stock *s, size_t class)
{
	struct stock_block *b = class < STOCK_CLASSES ? s->top[class] : NULL;

	if (b == NULL)
		return NULL;
	STOCK_UNPOISON(b, stock_room(class));
	s->top[class] = b->next;
	stock_count(s, class, -1);
	return b;
}

/* Takes p, or not: there are enough. */
static inline bool stock_keep(struct stock *s, void *p, size_t class)
{
	struct stock_block *b = p;

	if (class >= STOCK_CLASSES || s->bytes + stock_cost(class) > STOCK_BYTES)
		return false;
	if (s->count[class] >= STOCK_CLASS_MIN && (s->count[class] + 1u) * stock_cost(class) > STOCK_CLASS_BYTES)
		return false;
	b->next = s->top[class];
	s->top[class] = b;
	stock_count(s, class, 1);
	STOCK_POISON(b, stock_room(class));
	return true;
}

/* Gives any block; NULL: that was all. */
void *stock_empty(struct stock *s) FX_MUST_USE;
/* Any thread: adds what is in s. */
void stock_add(const struct stock *s, size_t *blocks, size_t *bytes);

#endif
