/*
 * str.c - small helpers for C strings.
 */
#include "base/str.h"

#include <string.h>

bool str_copy(char *dst, size_t size, const char *src)
{
	size_t n = strlen(src);
	size_t fit;

	if (size == 0)
		return n == 0;
	fit = n < size ? n : size - 1;
	memcpy(dst, src, fit);
	dst[fit] = '\0';
	return fit == n;
}

char *str_put_most(char *at, const char *end, const char *s, size_t most)
{
	size_t room = (size_t)(end - at) - 1;
	size_t n = strnlen(s, room < most ? room : most);

	memcpy(at, s, n);
	at[n] = '\0';
	return at + n;
}

char *str_put(char *at, const char *end, const char *s)
{
	return str_put_most(at, end, s, SIZE_MAX);
}

static char *str_put_digits(char *at, const char *end, uint64_t v, unsigned base)
{
	char digits[21];
	size_t i = sizeof(digits) - 1;

	digits[i] = '\0';
	do {
		digits[--i] = "0123456789abcdef"[v % base];
		v /= base;
	} while (v > 0);
	return str_put(at, end, digits + i);
}

char *str_put_u64(char *at, const char *end, uint64_t v)
{
	return str_put_digits(at, end, v, 10);
}

char *str_put_hex(char *at, const char *end, uint64_t v)
{
	return str_put_digits(at, end, v, 16);
}

static char str_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

bool str_is_equal_nocase(const char *a, const char *b)
{
	while (*a != '\0' && str_lower(*a) == str_lower(*b)) {
		a++;
		b++;
	}
	return str_lower(*a) == str_lower(*b);
}

bool str_starts_with(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

static bool str_is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

bool str_list_has(const char *list, const char *name)
{
	size_t n = strlen(name);

	if (list == NULL || n == 0)
		return false;
	while (*list != '\0') {
		const char *comma = strchrnul(list, ',');
		const char *a = list, *b = comma;

		while (a < b && str_is_blank(*a))
			a++;
		while (b > a && str_is_blank(b[-1]))
			b--;
		if ((size_t)(b - a) == n && memcmp(a, name, n) == 0)
			return true;
		list = *comma == ',' ? comma + 1 : comma;
	}
	return false;
}

static bool str_is_plain(uint8_t c)
{
	return c >= 0x20 && c < 0x7f && c != '\\';
}

void str_escape(char *dst, size_t size, const void *src, size_t n)
{
	static const char hex[] = "0123456789abcdef";
	const uint8_t *p = src;
	size_t at = 0;

	if (size == 0)
		return;
	/* most texts need nothing */
	while (at < n && at + 1 < size && str_is_plain(p[at]))
		at++;
	if (at > 0)
		memcpy(dst, p, at);
	for (size_t i = at; i < n; i++) {
		uint8_t c = p[i];
		size_t need = str_is_plain(c) ? 1 : c == '\\' ? 2 : 4;

		if (at + need >= size)
			break;
		if (need == 4) {
			dst[at++] = '\\';
			dst[at++] = 'x';
			dst[at++] = hex[c >> 4];
			dst[at++] = hex[c & 15];
		} else {
			if (need == 2)
				dst[at++] = '\\';
			dst[at++] = (char)c;
		}
	}
	dst[at] = '\0';
}
