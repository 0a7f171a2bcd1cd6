/*
 * cmdtag.c - CommandComplete's tag.
 */
#include "proto/cmdtag.h"

#include <string.h>

#include "base/poison.h"

const char *cmdtag_text(const void *body, size_t n)
{
	if (n == 0 || memchr(body, 0, n) != (const char *)body + n - 1)
		return NULL;
	return body;
}

bool cmdtag_is(const void *body, size_t n, const char *tag)
{
	size_t len = strlen(tag);

	return n == len + 1 && memcmp(body, tag, len + 1) == 0;
}

bool cmdtag_rows(const void *body, size_t n, uint64_t *rows)
{
	const char *text = cmdtag_text(body, n);
	const char *digits = text ? strrchr(text, ' ') : NULL;
	uint64_t v = 0;

	if (digits == NULL || *++digits == '\0')
		return false;
	for (; *digits != '\0'; digits++) {
		if (*digits < '0' || *digits > '9' || __builtin_mul_overflow(v, 10u, &v) ||
			__builtin_add_overflow(v, (uint64_t)(*digits - '0'), &v))
			return false;
	}
	*rows = v;
	return true;
}
