/*
 * kept.h - bytes that arrived while their conn was paused.
 *
 * One thread (the loop's); used by conn.c alone.  Small ones live in the loop's
 * blocks, so that many waiting conns cost little; none at all cost nothing.
 */
#ifndef NET_KEPT_H
#define NET_KEPT_H

#include "base/check.h"

struct loop;

struct kept {
	uint8_t *data;
	uint32_t len, cap;
};

#define KEPT_MAX ((size_t)1 << 30)

/* What is kept may be a password and is wiped when it is dropped; with wipe, what p points to as well once it is copied.
 * -1: no memory, or more than KEPT_MAX; nothing has changed. */
int kept_append(struct kept *k, struct loop *loop, void *p, size_t n, bool wipe) FX_MUST_USE;
int kept_prepend(struct kept *k, struct loop *loop, const void *p, size_t n) FX_MUST_USE;
/* Frees; k is empty afterwards. */
void kept_drop(struct kept *k, struct loop *loop);

#endif
