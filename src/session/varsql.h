/*
 * varsql.h - the SQL that sets and resets a parameter, and the reading of a client's RESET.
 *
 * No state; any thread.  What is made is ASCII only: values are written as E'...'
 * with every byte that is not plain ASCII as \xNN, so neither the client's
 * encoding nor standard_conforming_strings can change where a value ends.
 */
#ifndef SESSION_VARSQL_H
#define SESSION_VARSQL_H

#include "base/buf.h"

#define VARSQL_NAME_SIZE 256

/* May this be the name of a parameter: identifiers of at most 63 bytes, joined by dots? */
bool varsql_is_name(const char *name);
enum varsql_where {
	VARSQL_AT_REST,
	VARSQL_IN_BLOCK, /* a SELECT would be the first query of the client's transaction: lists of names are taken apart for SET */
	VARSQL_LOCAL,	 /* the same, and only until the end of the transaction */
};
/* Appends "SET name=...;", or a set_config where SET would read the value by other rules.  encoding: the client encoding
 * in which the value was reported, NULL when its bytes are the server's own.  name: varsql_is_name. */
void varsql_set(struct buf *sql, const char *name, const char *value, const char *encoding, enum varsql_where where);
void varsql_reset(struct buf *sql, const char *name);

enum varsql_reset {
	VARSQL_RESET_UNKNOWN, /* not one single statement that resets something */
	VARSQL_RESET_ONE,     /* RESET name, SET name TO DEFAULT */
	VARSQL_RESET_LOCAL,   /* SET LOCAL name TO DEFAULT */
	VARSQL_RESET_ALL,
};
/* What a statement of a client resets; name: VARSQL_NAME_SIZE bytes. */
enum varsql_reset varsql_read_reset(const char *text, size_t n, char *name);

#endif
