/*
 * ini.h - PgBouncer's ini dialect: sections, keys, %include.
 *
 * Control thread.  Knows the grammar, not the keys.  Grammar: a line is empty, a
 * comment (; or # as first non-blank), [section], "%include file" (relative to
 * the working directory), or key = value.  The value is the rest of the line as
 * it stands, blanks trimmed, ; and # included.  A key may be "quoted", with ""
 * for one quote.  Every problem is reported and the reader goes on.
 */
#ifndef CONF_INI_H
#define CONF_INI_H

#include "conf/conf_report.h"

#define INI_DEPTH_MAX 10  /* nested includes */
#define INI_FILES_MAX 200 /* all includes together */

struct ini_item {
	const char *section;
	int section_line;
	const char *key;   /* NULL: the section starts here */
	const char *value; /* NULL with it */
	const char *file;
	int line;
};

/* Calls fn for each section and key; the strings are lent until it returns. */
void ini_read(const char *path, void (*fn)(void *arg, const struct ini_item *item), void *arg,
	struct conf_report *report);
/* The same over bytes; %include is refused. name stands for the file in reports. */
void ini_read_bytes(const void *p, size_t n, const char *name,
	void (*fn)(void *arg, const struct ini_item *item), void *arg, struct conf_report *report);

#endif
