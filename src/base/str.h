/*
 * str.h - small helpers for C strings.  No globals, no allocation unless said.
 */
#ifndef BASE_STR_H
#define BASE_STR_H

#include "base/check.h"

/* Copies with truncation, always terminates.  true when nothing was cut off. */
bool str_copy(char *dst, size_t size, const char *src);
/* ASCII case-blind equality; independent of the locale. */
bool str_is_equal_nocase(const char *a, const char *b);
bool str_starts_with(const char *s, const char *prefix);
/* Put together without printf, which is dear where it is done for each connection: these append to the text whose end is
 * at, in a room whose end is end (at < end), and return the text's new end.  What does not fit is cut off; always
 * terminated. */
char *str_put(char *at, const char *end, const char *s);
char *str_put_most(char *at, const char *end, const char *s, size_t most); /* bytes of s */
char *str_put_u64(char *at, const char *end, uint64_t v);
char *str_put_hex(char *at, const char *end, uint64_t v); /* lower case, no zeros before it */
/* Is name one of the comma separated, blank-trimmed entries of list?  An empty name never is. */
bool str_list_has(const char *list, const char *name);
/* Writes src escaped for a log line: bytes outside printable ASCII as \xNN, backslash doubled.
 * Truncates to what fits; always terminates. */
void str_escape(char *dst, size_t size, const void *src, size_t n);

#endif
