/*
 * ident.h - auth_ident_file: which name of the system may log in as which user.
 *
 * Control thread reads; immutable afterwards, any thread looks (auth/identmatch.h).
 * Shared by snapshots, reference-counted.  Line: map, system name, user, as in
 * PostgreSQL's pg_ident.conf; /pattern in either place, \1 in the user, all and +role.
 * A line that cannot be understood permits nothing.
 */
#ifndef CONF_IDENT_H
#define CONF_IDENT_H

#include "base/pattern.h"
#include "conf/conf_report.h"
#include "conf/strpool.h"

enum ident_kind {
	IDENT_EXACT,
	IDENT_ALL,     /* user only */
	IDENT_ROLE,    /* user only: +text, whoever belongs to that role */
	IDENT_PATTERN, /* /text */
	IDENT_PARTS,   /* user only: text with \1 at part, which stands for what the system name's pattern took */
};

struct ident_name {
	enum ident_kind kind;
	const char *text; /* without / and + */
	size_t part;
	struct pattern *pattern; /* PATTERN */
};

struct ident_line {
	const char *map;
	const char *file;
	int line;
	struct ident_name system, user;
};

struct ident {
	_Atomic int refs;
	struct ident_line *line; /* in the order of the file */
	size_t lines, cap;
	size_t cost; /* of all patterns */
	bool needs_roles;
	struct strpool texts;
};

#define IDENT_COST_MAX 8192 /* instructions of all patterns: with PATTERN_SUBJECT_MAX it bounds a login's time */

/* Reads the file.  Bad lines are errors in report, or, with is_lenient, warnings.  NULL when the file itself cannot be
 * read: error has the sentence. */
struct ident *ident_read(const char *path, bool is_lenient, struct conf_report *report, char *error, size_t size)
	FX_MUST_USE;
struct ident *ident_read_bytes(const void *p, size_t n, const char *name, bool is_lenient, struct conf_report *report);
struct ident *ident_ref(struct ident *i); /* NULL gives NULL */
void ident_unref(struct ident *i);	  /* NULL is fine */
bool ident_has_map(const struct ident *i, const char *map); /* i may be NULL: it has none */

#endif
