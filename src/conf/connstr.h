/*
 * connstr.h - the value of a line in [databases], [users], [peers]: key=value
 * pairs as in a libpq connection string.
 *
 * Any thread.  Values may stand in single quotes, '' is one quote inside.
 */
#ifndef CONF_CONNSTR_H
#define CONF_CONNSTR_H

#include "base/check.h"

#define CONNSTR_KEY_MAX 64

struct connstr {
	const char *at;
	char key[CONNSTR_KEY_MAX];
	char *value; /* into the buffer given to connstr_init */
	char *out;
	const char *error; /* a sentence after -1 */
};

/* text is borrowed while reading; buffer must hold strlen(text) + 1 bytes and is borrowed as well. */
void connstr_init(struct connstr *c, const char *text, char *buffer);
/* 1: key and value are the next pair; 0: the end; -1: see error, reading is over */
int connstr_next(struct connstr *c) FX_MUST_USE;

#endif
