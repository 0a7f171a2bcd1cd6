/*
 * resultset.h - reads the whole answer of a server to one statement with bound parameters.
 *
 * "Extended Query" in the protocol's Message Flow: the messages between the question and
 * ReadyForQuery, as they came.  Any thread; borrows the bytes; nothing is allocated.
 */
#ifndef PROTO_RESULTSET_H
#define PROTO_RESULTSET_H

#include "base/check.h"

#define RESULTSET_COLUMNS 4

struct resultset_cell {
	const char *text; /* n bytes, no NUL behind them; NULL: null */
	size_t n;
};

struct resultset {
	const uint8_t *p, *end;
	unsigned columns; /* as the server has announced; 0 before resultset_begin */
	struct resultset_cell cell[RESULTSET_COLUMNS]; /* of the row of resultset_next; no more are read */
	bool is_bad; /* the bytes are no such answer */
};

void resultset_begin(struct resultset *r, const void *bytes, size_t n);
/* The next row; false: there is none, or is_bad. */
bool resultset_next(struct resultset *r);

#endif
