/*
 * manual.h - the settings as text for people: the blocks of the sample file, the
 * manual page and the guide that come from the table.
 *
 * For test_docs, which compares them with the files (and writes them anew when
 * called with --write after the table has changed).
 */
#ifndef TEST_UNIT_CONF_MANUAL_H
#define TEST_UNIT_CONF_MANUAL_H

#include "base/buf.h"

/* A block of a file, between the lines that contain "<name>: begin" and "<name>: end". */
struct manual_block {
	const char *file; /* below the source folder */
	const char *name;
	void (*render)(struct buf *out);
};

/* NULL behind the last */
const struct manual_block *manual_block(size_t i);
/* Group of chapters of a global setting by number of the group, NULL behind the last; names is
 * blank-separated. */
const char *manual_group(size_t i, const char **names);

#endif
