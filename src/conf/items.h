/*
 * items.h - what was said, before it means anything: (section, key, value, place).
 *
 * Control thread.  A snapshot is a pure function of its list of items, so SET is
 * "one more item" and the precedence of environment, file, SET and command line
 * is their order: later wins.
 */
#ifndef CONF_ITEMS_H
#define CONF_ITEMS_H

#include "conf/conf_report.h"
#include "conf/strpool.h"

enum items_section {
	ITEMS_GLOBAL, /* [fynixpool], [pgbouncer], or neither: environment, SET, command line */
	ITEMS_DATABASES,
	ITEMS_USERS,
	ITEMS_PEERS,
	ITEMS_SECRETS, /* user and password of DATABASE_URL */
};

struct item {
	enum items_section section;
	const char *key, *value; /* in the pool */
	const char *file;        /* in the pool; NULL: not from a file */
	int line;
};

struct items {
	struct item *item;
	size_t count, cap;
	struct strpool pool;
	/* where the profile was chosen; line 0: not there */
	int fynixpool_line, pgbouncer_line;
	const char *fynixpool_file, *pgbouncer_file;
};

/* Zeroed memory is an empty list. */
void items_fini(struct items *l);
/* Copies the texts. */
void items_add(struct items *l, enum items_section section, const char *key, const char *value,
	const char *file, int line);
/* Copies all but the items that an earlier SET of this key made. */
void items_add_all_but(struct items *l, const struct items *from, const char *set_key);
bool items_is_set(const struct item *it); /* made by SET: it has no file */
/* Reads an ini file to the end of the list. */
void items_read_file(struct items *l, const char *path, struct conf_report *report);
void items_read_bytes(struct items *l, const void *p, size_t n, const char *name, struct conf_report *report);

#endif
