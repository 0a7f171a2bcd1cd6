/*
 * startopt.h - the startup parameter "options": "-c name=value", "-cname=value" and
 * "--name=value", separated by blanks, a backslash taking away the meaning of the
 * byte after it.
 *
 * The dialect is that of PostgreSQL's command line as far as PgBouncer takes it.  In
 * names '-' becomes '_'.  Every call moves forward; a whole walk is O(length).
 */
#ifndef PROTO_STARTOPT_H
#define PROTO_STARTOPT_H

#include "base/check.h"

#define STARTOPT_SIZE 2048 /* the longest "name=value" without its escapes, with a NUL */

/* PgBouncer's sentences, which tools match on.  The third is said by the caller when it does not
 * know the name: a format with one %s. */
#define STARTOPT_ERROR_FORM \
	"unsupported options startup parameter: only '-c config=val' and '--config=val' are allowed"
#define STARTOPT_ERROR_LONG "unsupported options startup parameter: parameter too long"
#define STARTOPT_ERROR_NAME "unsupported startup parameter in options: %s"

struct startopt {
	const char *at;    /* lent */
	const char *error; /* set with -1: one of the first two sentences above */
	char text[STARTOPT_SIZE];
};

/* Borrows options until the walk ends. */
void startopt_init(struct startopt *o, const char *options);
/* 1: *name (never "") and *value are lent until the next call; 0: no more; -1: o->error, and
 * every later call says the same. */
int startopt_next(struct startopt *o, const char **name, const char **value) FX_MUST_USE;

#endif
