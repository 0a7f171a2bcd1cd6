/*
 * dealloc.c - is this text DEALLOCATE of one statement?
 */
#include "session/dealloc.h"

#include <string.h>

struct dealloc_text {
	const char *p, *end;
};

static bool dealloc_is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* white space and comments, which may be nested */
static void dealloc_skip(struct dealloc_text *t)
{
	unsigned depth = 0;

	while (t->p < t->end) {
		size_t left = (size_t)(t->end - t->p);

		if (left >= 2 && memcmp(t->p, "/*", 2) == 0) {
			depth++;
			t->p += 2;
		} else if (depth > 0) {
			bool closes = left >= 2 && memcmp(t->p, "*/", 2) == 0;

			depth -= closes;
			t->p += closes ? 2 : 1;
		} else if (left >= 2 && memcmp(t->p, "--", 2) == 0) {
			while (t->p < t->end && *t->p != '\n' && *t->p != '\r')
				t->p++;
		} else if (dealloc_is_space(*t->p)) {
			t->p++;
		} else {
			return;
		}
	}
}

static bool dealloc_is_name(char c, bool first)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (c & 0x80) ||
	       (!first && ((c >= '0' && c <= '9') || c == '$'));
}

/* A name, folded and cut as PostgreSQL does it; false: there is none.  *quoted tells "all" from ALL. */
static bool dealloc_word(struct dealloc_text *t, char *out, bool *quoted)
{
	size_t n = 0;

	*quoted = t->p < t->end && *t->p == '"';
	if (*quoted) {
		for (t->p++; t->p < t->end; t->p++) {
			if (*t->p == '"' && (t->p + 1 == t->end || t->p[1] != '"'))
				break;
			t->p += *t->p == '"';
			if (n + 1 < DEALLOC_NAME_SIZE)
				out[n++] = *t->p;
		}
		if (t->p >= t->end)
			return false;
		t->p++;
	} else {
		for (; t->p < t->end && dealloc_is_name(*t->p, n == 0); t->p++)
			if (n + 1 < DEALLOC_NAME_SIZE)
				out[n++] = (char)(*t->p >= 'A' && *t->p <= 'Z' ? *t->p + 32 : *t->p);
	}
	out[n] = '\0';
	return n > 0;
}

bool dealloc_parse(const char *text, size_t n, char name[DEALLOC_NAME_SIZE])
{
	struct dealloc_text t = {.p = text, .end = text + n};
	bool quoted;

	dealloc_skip(&t);
	if (t.p == t.end || (*t.p != 'd' && *t.p != 'D') || !dealloc_word(&t, name, &quoted) ||
	    strcmp(name, "deallocate") != 0)
		return false;
	dealloc_skip(&t);
	if (!dealloc_word(&t, name, &quoted))
		return false;
	if (!quoted && strcmp(name, "prepare") == 0) {
		dealloc_skip(&t);
		if (t.p < t.end && *t.p != ';' && !dealloc_word(&t, name, &quoted))
			return false;
	}
	if (!quoted && strcmp(name, "all") == 0)
		return false;
	dealloc_skip(&t);
	if (t.p < t.end && *t.p == ';')
		t.p++;
	dealloc_skip(&t);
	return t.p == t.end;
}
