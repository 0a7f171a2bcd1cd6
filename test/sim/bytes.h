/*
 * bytes.h - a growing run of bytes and the making of messages; the fake peers' own.
 *
 * Deliberately not the house's buffers: a mistake there must not cancel out here.
 */
#ifndef SIM_BYTES_H
#define SIM_BYTES_H

#include "base/check.h"

struct bytes {
	uint8_t *data;
	uint32_t len, cap, pos; /* pos: read so far */
};

void bytes_free(struct bytes *b);
void bytes_put(struct bytes *b, const void *data, uint32_t n);
void bytes_skip(struct bytes *b, uint32_t n); /* forgets what was read */
static inline uint32_t bytes_left(const struct bytes *b)
{
	return b->len - b->pos;
}
static inline const uint8_t *bytes_at(const struct bytes *b)
{
	return b->data + b->pos;
}

/* A message: begin, put fields, end.  type 0: none (startup). */
uint32_t bytes_begin(struct bytes *b, char type);
void bytes_end(struct bytes *b, uint32_t begun);
void bytes_u8(struct bytes *b, uint8_t v);
void bytes_u16(struct bytes *b, uint16_t v);
void bytes_u32(struct bytes *b, uint32_t v);
void bytes_str(struct bytes *b, const char *s); /* with its NUL */
uint32_t bytes_get_u32(const uint8_t *p);
/* A message of type alone, or with one string. */
void bytes_msg(struct bytes *b, char type);
void bytes_msg_str(struct bytes *b, char type, const char *s);

/* Is a whole message there?  Its type and body (valid until the next change); consumes it. */
bool bytes_next(struct bytes *b, char *type, const uint8_t **body, uint32_t *len);

#endif
