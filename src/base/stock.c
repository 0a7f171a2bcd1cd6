/*
 * stock.c - lists of blocks by size, those given back last first.
 */
#include "base/stock.h"

void *stock_empty(struct stock *s)
{
	for (size_t i = 0; i < STOCK_CLASSES; i++)
		if (s->top[i] != NULL)
			return stock_take(s, i);
	return NULL;
}

void stock_add(const struct stock *s, size_t *blocks, size_t *bytes)
{
	for (size_t i = 0; i < STOCK_CLASSES; i++) {
		size_t count = __atomic_load_n(&s->count[i], __ATOMIC_RELAXED);

		*blocks += count;
		*bytes += count * stock_cost(i);
	}
}
