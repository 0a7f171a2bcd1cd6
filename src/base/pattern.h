/*
 * pattern.h - regular expressions whose time and memory are bounded.
 *
 * PostgreSQL's "advanced" dialect without back references, look-around, word
 * boundaries and embedded options.  A pattern is immutable: any thread may match,
 * without a lock.  Matching takes at most PATTERN_SUBJECT_MAX times pattern_cost()
 * steps, whatever the pattern and the subject are.  Letters count as they are
 * (no folding of case); "." and negated classes take one whole UTF-8 character.
 */
#ifndef BASE_PATTERN_H
#define BASE_PATTERN_H

#include "base/check.h"

#define PATTERN_TEXT_MAX    1024 /* bytes of a pattern */
#define PATTERN_CODE_MAX    1000 /* instructions of its program */
#define PATTERN_SUBJECT_MAX 128  /* bytes of what is matched */

struct pattern;

/* What the first parentheses took; from is NULL when they took no part in the match. */
struct pattern_group {
	const char *from;
	size_t n;
};

enum pattern_result { PATTERN_NO, PATTERN_YES, PATTERN_TOO_LONG };

/* NULL when text is no pattern we can match: *error is a constant sentence. */
struct pattern *pattern_new(const char *text, const char **error) FX_MUST_USE;
void pattern_free(struct pattern *p); /* NULL is fine */

/* Does it match anywhere in subject?  Several ways: the leftmost start, then as the quantifiers prefer (greedy ones
 * the longest); alternatives in their order.  group may be NULL; it points into subject. */
enum pattern_result pattern_match(const struct pattern *p, const char *subject, struct pattern_group *group) FX_MUST_USE;
bool pattern_has_group(const struct pattern *p);
size_t pattern_cost(const struct pattern *p); /* instructions */

#endif
