/*
 * b64.c - canonical base64.
 */
#include "auth/b64.h"

#include "base/poison.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
/* and back: 1..64, or 0 */
static const uint8_t values[256] = {
	/* clang-format off */
	['A'] = 1, ['B'] = 2, ['C'] = 3, ['D'] = 4, ['E'] = 5, ['F'] = 6, ['G'] = 7, ['H'] = 8,
	['I'] = 9, ['J'] = 10, ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16,
	['Q'] = 17, ['R'] = 18, ['S'] = 19, ['T'] = 20, ['U'] = 21, ['V'] = 22, ['W'] = 23, ['X'] = 24,
	['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28, ['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32,
	['g'] = 33, ['h'] = 34, ['i'] = 35, ['j'] = 36, ['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40,
	['o'] = 41, ['p'] = 42, ['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48,
	['w'] = 49, ['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54, ['2'] = 55, ['3'] = 56,
	['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62, ['+'] = 63, ['/'] = 64,
	/* clang-format on */
};

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

/* The 24 bits of four characters, of which the first few are looked at; false: one that is none of the alphabet's. */
static inline bool read_quad(const char *text, size_t chars, uint32_t *v)
{
	uint32_t bits = 0;

	for (size_t k = 0; k < 4; k++) {
		uint32_t value = k < chars ? values[(uint8_t)text[k]] : 1;

		if (value == 0)
			return false;
		bits = bits << 6 | (value - 1);
	}
	*v = bits;
	return true;
}

int b64_decode(const char *text, size_t n, uint8_t *out, size_t cap, size_t *len)
{
	size_t pad, chars, at = 0;
	uint32_t v;

	if (n % 4 != 0)
		return -1;
	if (n == 0) {
		*len = 0;
		return 0;
	}
	pad = text[n - 1] != '=' ? 0 : text[n - 2] != '=' ? 1 : 2;
	if (n / 4 * 3 - pad > cap)
		return -1;
	for (size_t i = 0; i + 4 < n; i += 4) {
		if (!read_quad(text + i, 4, &v))
			return -1;
		out[at++] = (uint8_t)(v >> 16);
		out[at++] = (uint8_t)(v >> 8);
		out[at++] = (uint8_t)v;
	}
	chars = 4 - pad;
	/* bits that no byte takes must be zero, else two texts mean the same bytes */
	if (!read_quad(text + n - 4, chars, &v) || (chars == 3 && (v & 0xff) != 0) || (chars == 2 && (v & 0xffff) != 0))
		return -1;
	for (size_t k = 0; k + 1 < chars; k++)
		out[at++] = (uint8_t)(v >> (16 - 8 * k));
	*len = at;
	return 0;
}
