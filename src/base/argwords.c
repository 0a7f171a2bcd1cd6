/*
 * argwords.c - a command line as words, without a shell.
 */
#include "base/argwords.h"

#include "base/mem.h"

#include <string.h>

static bool argwords_is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* One word from *p to *to; false: a quote has no end. */
static bool argwords_next(const char **p, char **to)
{
	char quote = '\0';

	for (; **p != '\0' && (quote != '\0' || !argwords_is_blank(**p)); (*p)++) {
		if (quote == '\0' && (**p == '\'' || **p == '"')) {
			quote = **p;
		} else if (**p == quote) {
			quote = '\0';
		} else {
			if (quote == '"' && **p == '\\' && (*p)[1] != '\0')
				(*p)++;
			*(*to)++ = **p;
		}
	}
	*(*to)++ = '\0';
	return quote == '\0';
}

char **argwords_new(const char *text, const char **error)
{
	size_t n = strlen(text), words = 0;
	/* a word and the blank behind it never take more room than the word and its NUL; words are at most every second byte */
	char **list = mem_zalloc((n / 2 + 2) * sizeof(*list) + n + 2);
	char *to = (char *)(list + n / 2 + 2);

	*error = NULL;
	for (;;) {
		while (argwords_is_blank(*text))
			text++;
		if (*text == '\0')
			break;
		list[words++] = to;
		if (!argwords_next(&text, &to))
			*error = "a quote has no end";
	}
	if (*error == NULL && (words == 0 || list[0][0] != '/'))
		*error = "the program must be named by its whole path, from / on; no shell looks for it";
	if (*error == NULL)
		return list;
	mem_free(list);
	return NULL;
}
