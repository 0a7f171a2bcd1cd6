/*
 * buf.c - the one growable byte buffer, and the only growth loop in the tree.
 */
#include "base/buf.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

void buf_init(struct buf *b, size_t max)
{
	*b = (struct buf){.max = max ? max : BUF_MAX_DEFAULT};
}

void buf_fini(struct buf *b)
{
	mem_free(b->data);
	b->data = NULL;
	b->len = b->cap = 0;
	b->bad = false;
}

void buf_wipe(struct buf *b)
{
	if (b->data != NULL)
		explicit_bzero(b->data, b->cap);
	buf_fini(b);
}

void buf_reset(struct buf *b)
{
	b->len = 0;
	b->bad = false;
}

/* what b may grow to: no object is larger, and need + 1 must not wrap around */
static size_t buf_most(const struct buf *b)
{
	size_t max = b->max ? b->max : BUF_MAX_DEFAULT;

	return max > PTRDIFF_MAX - 1 ? PTRDIFF_MAX - 1 : max;
}

static int buf_grow(struct buf *b, size_t extra)
{
	size_t max = buf_most(b);
	size_t need, cap;
	uint8_t *p;

	if (b->len > max || extra > max - b->len) {
		b->bad = true;
		return -1;
	}
	need = b->len + extra;
	/* one byte more than asked, so that buf_text() always has room for its NUL */
	cap = b->cap < 64 ? 64 : b->cap;
	while (cap <= need)
		cap = cap > SIZE_MAX / 2 ? need + 1 : cap * 2;
	p = mem_try_realloc(b->data, cap);
	if (p == NULL) {
		b->bad = true;
		return -1;
	}
	b->data = p;
	b->cap = cap;
	return 0;
}

static inline bool buf_has_room(const struct buf *b, size_t extra)
{
	return extra < b->cap - b->len && b->len + extra <= buf_most(b);
}

int buf_reserve(struct buf *b, size_t extra)
{
	return FX_LIKELY(buf_has_room(b, extra)) ? 0 : buf_grow(b, extra);
}

int buf_append(struct buf *b, const void *p, size_t n)
{
	if (FX_UNLIKELY(!buf_has_room(b, n)) && buf_grow(b, n) < 0)
		return -1;
	if (n > 0)
		memcpy(b->data + b->len, p, n);
	b->len += n;
	return 0;
}

int buf_append_u8(struct buf *b, uint8_t v)
{
	if (FX_UNLIKELY(!buf_has_room(b, 1)) && buf_grow(b, 1) < 0)
		return -1;
	b->data[b->len++] = v;
	return 0;
}

int buf_append_u16(struct buf *b, uint16_t v)
{
	uint8_t raw[2] = {(uint8_t)(v >> 8), (uint8_t)v};

	return buf_append(b, raw, 2);
}

int buf_append_u32(struct buf *b, uint32_t v)
{
	uint8_t raw[4] = {(uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v};

	return buf_append(b, raw, 4);
}

int buf_append_str(struct buf *b, const char *s)
{
	return buf_append(b, s, strlen(s));
}

int buf_append_cstr(struct buf *b, const char *s)
{
	return buf_append(b, s, strlen(s) + 1);
}

int buf_vprintf(struct buf *b, const char *fmt, va_list ap)
{
	va_list again;
	int n;

	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	if (n < 0 || buf_reserve(b, (size_t)n) < 0) {
		b->bad = true;
		return -1;
	}
	(void)vsnprintf((char *)b->data + b->len, b->cap - b->len, fmt, ap);
	b->len += (size_t)n;
	return 0;
}

int buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	int rc;

	va_start(ap, fmt);
	rc = buf_vprintf(b, fmt, ap);
	va_end(ap);
	return rc;
}

void buf_put_u32_at(struct buf *b, size_t at, uint32_t v)
{
	CHECK(b->len >= 4 && at <= b->len - 4);
	b->data[at] = (uint8_t)(v >> 24);
	b->data[at + 1] = (uint8_t)(v >> 16);
	b->data[at + 2] = (uint8_t)(v >> 8);
	b->data[at + 3] = (uint8_t)v;
}

void buf_consume(struct buf *b, size_t n)
{
	CHECK(n <= b->len);
	if (n < b->len)
		memmove(b->data, b->data + n, b->len - n);
	b->len -= n;
}

const char *buf_text(struct buf *b)
{
	if (b->data == NULL)
		return "";
	/* buf_reserve keeps cap > len */
	b->data[b->len] = '\0';
	return (const char *)b->data;
}
