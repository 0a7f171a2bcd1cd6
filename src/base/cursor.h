/*
 * cursor.h - the one bounded reader of bytes that a peer sent.
 *
 * Borrows the bytes.  Any read past the end sets bad and yields zeros / NULL, so
 * a parser may read everything and look at bad once, before it believes a value.
 */
#ifndef BASE_CURSOR_H
#define BASE_CURSOR_H

#include "base/check.h"

#include <string.h>

struct cursor {
	const uint8_t *p, *end;
	bool bad;
};

static inline struct cursor cursor_over(const void *p, size_t n)
{
	return (struct cursor){.p = p, .end = p != NULL ? (const uint8_t *)p + n : NULL, .bad = false};
}

static inline size_t cursor_left(const struct cursor *c)
{
	return (size_t)(c->end - c->p);
}

/* n bytes, or NULL and bad */
static inline const uint8_t *cursor_bytes(struct cursor *c, size_t n)
{
	const uint8_t *at = c->p;

	if (c->bad || n > cursor_left(c)) {
		c->bad = true;
		return NULL;
	}
	c->p += n;
	return at;
}

static inline uint8_t cursor_u8(struct cursor *c)
{
	const uint8_t *p = cursor_bytes(c, 1);

	return p ? p[0] : 0;
}

static inline uint16_t cursor_u16(struct cursor *c)
{
	const uint8_t *p = cursor_bytes(c, 2);

	if (p == NULL)
		return 0;
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t cursor_u32(struct cursor *c)
{
	const uint8_t *p = cursor_bytes(c, 4);

	return p ? (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | (uint32_t)p[3] : 0;
}

/* A NUL-terminated string inside the bytes (lent), or NULL and bad. */
static inline const char *cursor_cstr(struct cursor *c)
{
	const uint8_t *at = c->p;
	const uint8_t *nul = c->bad || at == NULL ? NULL : memchr(at, 0, cursor_left(c));

	if (nul == NULL) {
		c->bad = true;
		return NULL;
	}
	c->p = nul + 1;
	return (const char *)at;
}

#endif
