/*
 * moves.h - a table of states: exactly the moves that a test has written down are legal, all others abort, and every
 * state has a word that is known.
 */
#ifndef TEST_UNIT_SERVER_MOVES_H
#define TEST_UNIT_SERVER_MOVES_H

#include "test/unit/base/suite.h"
#include "test/unit/server/mustabort.h"

#include <string.h>

struct moves {
	const char *const *names;      /* of the states, in their order */
	unsigned count;
	const char *const (*legal)[2]; /* from: to to ... ; one row for each state */
	bool (*may)(unsigned from, unsigned to);
	void (*enter)(int from, int to);
	const char *(*word)(unsigned state);
};

static inline const char *moves_from(const struct moves *m, unsigned from)
{
	for (unsigned i = 0; i < m->count; i++)
		if (strcmp(m->legal[i][0], m->names[from]) == 0)
			return m->legal[i][1];
	ck_abort_msg("state %s is not in this test", m->names[from]);
	return NULL;
}

static inline bool moves_is_legal(const struct moves *m, unsigned from, unsigned to)
{
	const char *all = moves_from(m, from), *at = all;
	size_t n = strlen(m->names[to]);

	while ((at = strstr(at, m->names[to])) != NULL) {
		if ((at == all || at[-1] == ' ') && (at[n] == ' ' || at[n] == '\0'))
			return true;
		at += n;
	}
	return false;
}

static inline void moves_check(const struct moves *m)
{
	for (unsigned from = 0; from < m->count; from++)
		for (unsigned to = 0; to < m->count; to++)
			ck_assert_msg(m->may(from, to) == moves_is_legal(m, from, to), "%s to %s", m->names[from],
				      m->names[to]);
}

static inline void moves_check_aborts(const struct moves *m)
{
	unsigned seen = 0;

	for (unsigned from = 0; from < m->count; from++)
		for (unsigned to = 0; to < m->count; to++) {
			if (m->may(from, to))
				continue;
			ck_assert_msg(must_abort(m->enter, (int)from, (int)to), "%s to %s went through", m->names[from],
				      m->names[to]);
			seen++;
		}
	ck_assert_uint_gt(seen, m->count * m->count / 2);
}

/* known ends with NULL */
static inline void moves_check_words(const struct moves *m, const char *const *known)
{
	for (unsigned i = 0; i < m->count; i++) {
		const char *word = m->word(i);
		bool found = false;

		ck_assert_ptr_nonnull(word);
		for (unsigned k = 0; known[k] != NULL; k++)
			found |= strcmp(word, known[k]) == 0;
		ck_assert_msg(found, "%s: %s", m->names[i], word);
	}
}

#endif
