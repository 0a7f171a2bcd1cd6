/*
 * buf.h - the one growable byte buffer.
 *
 * One owner, one thread.  Grows with the bytes really written, never by a length
 * that a peer declared, and never beyond max.  Every append returns -1 (and
 * leaves the buffer as it was, with bad set) when it would pass max or when
 * there is no memory; callers may append many pieces and look at bad once.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/check.h"

#include <stdarg.h>

struct buf {
	uint8_t *data;
	size_t len, cap;
	size_t max; /* 0: BUF_MAX_DEFAULT */
	bool bad;
};

#define BUF_MAX_DEFAULT ((size_t)1 << 30)

void buf_init(struct buf *b, size_t max);
void buf_fini(struct buf *b);  /* frees; the struct may be used again after buf_init */
void buf_wipe(struct buf *b);  /* overwrites the bytes, then buf_fini */
void buf_reset(struct buf *b); /* len = 0, bad = false, memory kept */
int buf_reserve(struct buf *b, size_t extra);
int buf_append(struct buf *b, const void *p, size_t n);
int buf_append_u8(struct buf *b, uint8_t v);
int buf_append_u16(struct buf *b, uint16_t v); /* network order */
int buf_append_u32(struct buf *b, uint32_t v); /* network order */
int buf_append_str(struct buf *b, const char *s);  /* without the NUL */
int buf_append_cstr(struct buf *b, const char *s); /* with the NUL */
int buf_printf(struct buf *b, const char *fmt, ...) FX_PRINTF(2, 3);
int buf_vprintf(struct buf *b, const char *fmt, va_list ap) FX_PRINTF(2, 0);
void buf_put_u32_at(struct buf *b, size_t at, uint32_t v); /* overwrites 4 bytes that exist */
void buf_consume(struct buf *b, size_t n);		   /* drops the first n bytes */
/* NUL-terminates outside len and lends the text until the next change; "" when empty. */
const char *buf_text(struct buf *b);

#endif
