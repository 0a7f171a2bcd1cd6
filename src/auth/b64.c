/*
 * b64.c - canonical base64.
 */
#include "auth/b64.h"

#include "base/poison.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void b64_encode(struct buf *out, const void *p, size_t n)
{
	const uint8_t *b = p;

	for (size_t i = 0; i < n; i += 3) {
		size_t left = n - i;
		uint32_t v = (uint32_t)b[i] << 16;
		char quad[4];

		v |= left > 1 ? (uint32_t)b[i + 1] << 8 : 0;
		v |= left > 2 ? (uint32_t)b[i + 2] : 0;
		quad[0] = alphabet[v >> 18];
		quad[1] = alphabet[v >> 12 & 63];
		quad[2] = left > 1 ? alphabet[v >> 6 & 63] : '=';
		quad[3] = left > 2 ? alphabet[v & 63] : '=';
		(void)buf_append(out, quad, 4);
	}
}

/* 0..63, or -1 */
static int value_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

int b64_decode(const char *text, size_t n, uint8_t *out, size_t cap, size_t *len)
{
	size_t pad, at = 0;

	if (n % 4 != 0)
		return -1;
	pad = n == 0 || text[n - 1] != '=' ? 0 : text[n - 2] != '=' ? 1 : 2;
	if (n / 4 * 3 - pad > cap)
		return -1;
	for (size_t i = 0; i < n; i += 4) {
		size_t chars = i + 4 == n ? 4 - pad : 4;
		uint32_t v = 0;

		for (size_t k = 0; k < 4; k++) {
			int six = k < chars ? value_of(text[i + k]) : 0;

			if (six < 0)
				return -1;
			v = v << 6 | (uint32_t)six;
		}
		/* bits that no byte takes must be zero, else two texts mean the same bytes */
		if ((chars == 3 && (v & 0xff) != 0) || (chars == 2 && (v & 0xffff) != 0))
			return -1;
		for (size_t k = 0; k + 1 < chars; k++)
			out[at++] = (uint8_t)(v >> (16 - 8 * k));
	}
	*len = at;
	return 0;
}
