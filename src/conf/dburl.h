/*
 * dburl.h - postgresql://user:password@host:port/database?name=value, taken apart.
 *
 * Control thread, for DATABASE_URL.  Percent signs are decoded; "postgres://" and
 * "postgresql+driver://" are understood too.
 */
#ifndef CONF_DBURL_H
#define CONF_DBURL_H

#include "base/check.h"

#define DBURL_PART_MAX 1024

struct dburl {
	/* "" where the URL has none */
	char user[DBURL_PART_MAX], password[DBURL_PART_MAX], host[DBURL_PART_MAX], port[16],
		dbname[DBURL_PART_MAX];
	bool has_password;
	char sslmode[32];
	char application_name[DBURL_PART_MAX];
	char ignored[DBURL_PART_MAX]; /* names of parameters that were not understood, comma separated */
};

/* -1 with a sentence in error (which never quotes the URL). The caller wipes *out. */
int dburl_parse(const char *text, struct dburl *out, const char **error) FX_MUST_USE;

#endif
