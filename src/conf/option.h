/*
 * option.h - the rows of options.def at run time: names and look-up.
 *
 * Any thread: the tables are constant.  Knows where in struct conf_settings,
 * conf_database and conf_user each row's value lives.
 */
#ifndef CONF_OPTION_H
#define CONF_OPTION_H

#include "conf/conf.h"

enum option_table { OPTION_GLOBAL, OPTION_DATABASE, OPTION_USER };

enum option_type {
	OPTION_BOOL,
	OPTION_INT,
	OPTION_OCTAL,
	OPTION_TIME,
	OPTION_MSEC,
	OPTION_SIZE,
	OPTION_STR,
	OPTION_SECRET,
	OPTION_MODE, /* from here on: words */
	OPTION_AUTH,
	OPTION_ACTION,
	OPTION_TLS,
	OPTION_LOGFMT,
	OPTION_ATTACH,
	OPTION_ENGINE,
	OPTION_PROTOCOL,
	OPTION_HOSTS,
	OPTION_NEGOTIATION,
	OPTION_WEAKAUTH,
	OPTION_BINDING,
};

struct option {
	const char *name;
	enum option_table table;
	enum option_type type;
	const char *default_text[2]; /* by enum conf_profile; NULL: not set */
	int64_t min, max;            /* both 0 for texts and words; in the bare unit */
	const char *scope;
	bool is_own, is_reloadable, is_effective;
	const char *aliases; /* comma separated */
	const char *help;
	size_t offset; /* of the member in the table's struct */
};

/* The i-th row, NULL behind the last. */
const struct option *option_at(enum option_table table, size_t i);
/* By name or alias, exact; NULL. */
const struct option *option_find(enum option_table table, const char *name);
/* The name nearest to a misspelt one, NULL when none is near. */
const char *option_nearest(enum option_table table, const char *name);

/* "integer", "seconds", "boolean" ... for people */
const char *option_type_name(enum option_type type);
/* Number of changes that turn a into b: insert, delete, replace, swap neighbours; bounded to names of
 * 63 bytes. */
size_t option_distance(const char *a, const char *b);

#endif
