/*
 * bytes.c - a growing run of bytes and the making of messages.
 */
#include "bytes.h"

#include <stdlib.h>
#include <string.h>

void bytes_free(struct bytes *b)
{
	free(b->data);
	*b = (struct bytes){.data = NULL};
}

void bytes_put(struct bytes *b, const void *data, uint32_t n)
{
	if (n == 0)
		return;
	if (b->len + n > b->cap) {
		b->cap = (b->len + n) * 2 + 64;
		b->data = realloc(b->data, b->cap);
		CHECK(b->data != NULL);
	}
	memcpy(b->data + b->len, data, n);
	b->len += n;
}

void bytes_skip(struct bytes *b, uint32_t n)
{
	CHECK(n <= bytes_left(b));
	b->pos += n;
	if (b->pos == b->len) {
		b->pos = b->len = 0;
	} else if (b->pos > 4096 && b->pos > b->len / 2) {
		memmove(b->data, b->data + b->pos, b->len - b->pos);
		b->len -= b->pos;
		b->pos = 0;
	}
}

uint32_t bytes_begin(struct bytes *b, char type)
{
	if (type != 0)
		bytes_u8(b, (uint8_t)type);
	bytes_u32(b, 0);
	return b->len - 4;
}

void bytes_end(struct bytes *b, uint32_t begun)
{
	uint32_t n = b->len - begun;

	for (int i = 0; i < 4; i++)
		b->data[begun + (uint32_t)i] = (uint8_t)(n >> (24 - 8 * i));
}

void bytes_u8(struct bytes *b, uint8_t v)
{
	bytes_put(b, &v, 1);
}

void bytes_u16(struct bytes *b, uint16_t v)
{
	bytes_u8(b, (uint8_t)(v >> 8));
	bytes_u8(b, (uint8_t)v);
}

void bytes_u32(struct bytes *b, uint32_t v)
{
	bytes_u16(b, (uint16_t)(v >> 16));
	bytes_u16(b, (uint16_t)v);
}

void bytes_str(struct bytes *b, const char *s)
{
	bytes_put(b, s, (uint32_t)strlen(s) + 1);
}

uint32_t bytes_get_u32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

void bytes_msg(struct bytes *b, char type)
{
	bytes_end(b, bytes_begin(b, type));
}

void bytes_msg_str(struct bytes *b, char type, const char *s)
{
	uint32_t at = bytes_begin(b, type);

	bytes_str(b, s);
	bytes_end(b, at);
}

bool bytes_next(struct bytes *b, char *type, const uint8_t **body, uint32_t *len)
{
	const uint8_t *p = bytes_at(b);
	uint32_t n;

	if (bytes_left(b) < 5)
		return false;
	n = bytes_get_u32(p + 1);
	if (n < 4 || bytes_left(b) < n + 1)
		return false;
	*type = (char)p[0];
	*body = p + 5;
	*len = n - 4;
	b->pos += n + 1;
	return true;
}
