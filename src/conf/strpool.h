/*
 * strpool.h - strings that live as long as their pool, wiped when it goes.
 *
 * Control thread while a snapshot is made; afterwards nothing is added.  All of
 * a configuration's strings are here, since any of them may hold a password.
 */
#ifndef CONF_STRPOOL_H
#define CONF_STRPOOL_H

#include "base/check.h"

struct strpool_node;

struct strpool {
	struct strpool_node *first;
};

/* Copies n bytes and adds a NUL; lends until strpool_fini. */
char *strpool_add(struct strpool *p, const char *s, size_t n);
char *strpool_addz(struct strpool *p, const char *s);
void strpool_fini(struct strpool *p);

#endif
