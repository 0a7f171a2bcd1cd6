/*
 * kept.c - bytes that arrived while their conn was paused.
 *
 * Called by conn.c on the loop's thread.
 */
#include "net/kept.h"

#include "base/mem.h"
#include "base/secret.h"
#include "net/loop.h"

#include <string.h>

static void kept_free(struct loop *loop, uint8_t *data, size_t len, size_t cap)
{
	secret_wipe(data, len);
	if (data != NULL && cap == LOOP_BLOCK_SIZE)
		loop_block_give(loop, data);
	else
		mem_free(data);
}

void kept_drop(struct kept *k, struct loop *loop)
{
	kept_free(loop, k->data, k->len, k->cap);
	*k = (struct kept){.data = NULL};
}

static int kept_grow(struct kept *k, struct loop *loop, size_t n)
{
	size_t need = k->len + n, cap;
	uint8_t *p;

	if (n > KEPT_MAX || need > KEPT_MAX)
		return -1;
	if (need <= k->cap)
		return 0;
	if (need <= LOOP_BLOCK_SIZE && k->data == NULL) {
		k->data = loop_block_take(loop);
		k->cap = k->data != NULL ? LOOP_BLOCK_SIZE : 0;
		return k->data != NULL ? 0 : -1;
	}
	/* at least doubled, and never of a block's size */
	cap = need > 2 * (size_t)k->cap ? need : 2 * (size_t)k->cap;
	cap = (cap + 4095) & ~(size_t)4095;
	p = mem_try_alloc(cap);
	if (p == NULL)
		return -1;
	if (k->len > 0)
		memcpy(p, k->data, k->len);
	kept_free(loop, k->data, k->len, k->cap);
	k->data = p;
	k->cap = (uint32_t)cap;
	return 0;
}

int kept_append(struct kept *k, struct loop *loop, void *p, size_t n, bool wipe)
{
	if (kept_grow(k, loop, n) < 0)
		return -1;
	memcpy(k->data + k->len, p, n);
	if (wipe)
		secret_wipe(p, n);
	k->len += (uint32_t)n;
	return 0;
}

int kept_prepend(struct kept *k, struct loop *loop, const void *p, size_t n)
{
	if (kept_grow(k, loop, n) < 0)
		return -1;
	memmove(k->data + n, k->data, k->len);
	memcpy(k->data, p, n);
	k->len += (uint32_t)n;
	return 0;
}
