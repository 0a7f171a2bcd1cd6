/*
 * conf_report.h - the problems found while reading a configuration.
 *
 * One thread.  Every problem is one line "file:line: sentence"; errors (nothing
 * was loaded) and warnings (it was) are kept apart.  Bounded: the hundredth line
 * of a kind is the last, the rest are counted.
 */
#ifndef CONF_CONF_REPORT_H
#define CONF_CONF_REPORT_H

#include "base/buf.h"

struct conf_report {
	struct buf errors, warnings; /* lines that end with \n; read with buf_text() */
	int error_count, warning_count;
};

#define CONF_REPORT_LINES_MAX 100

void conf_report_init(struct conf_report *r);
void conf_report_fini(struct conf_report *r);
/* file NULL or "": no place is named; line 0: the file alone */
void conf_report_error(struct conf_report *r, const char *file, int line, const char *fmt, ...)
	FX_PRINTF(4, 5);
void conf_report_warning(struct conf_report *r, const char *file, int line, const char *fmt, ...)
	FX_PRINTF(4, 5);
/* Calls fn once for each line, without its newline. */
void conf_report_each(const struct buf *lines, void (*fn)(void *arg, const char *line), void *arg);

#endif
