/*
 * errfields.h - the fields of ErrorResponse and NoticeResponse.
 *
 * "Error and Notice Message Fields".  A peer may leave out, repeat or cut off any of
 * them; what is asked for here is always safe to print.  Any thread, no allocation.
 */
#ifndef PROTO_ERRFIELDS_H
#define PROTO_ERRFIELDS_H

#include "base/check.h"

struct errfields {
	const char *severity; /* never NULL: V, else S, else "ERROR" */
	const char *sqlstate; /* never NULL, always five of [0-9A-Z]: C, else "XX000" */
	const char *message;  /* never NULL: M, else a sentence of ours */
	const char *detail;   /* NULL: none */
	const char *hint;     /* NULL: none */
	const char *routine;  /* NULL: none; the function of PostgreSQL's source that said it */
	bool is_damaged;      /* no terminator, a field cut off, or bytes after the end */
};

/* Parses the n bytes after the length word.  The texts are lent from body (of a field given
 * twice the first counts); the defaults are constants. */
void errfields_parse(const void *body, size_t n, struct errfields *out);
/* FATAL or PANIC: the sender closes the connection after it. */
bool errfields_is_fatal(const struct errfields *e);

#endif
