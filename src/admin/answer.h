/*
 * answer.h - answers of the console as wire messages.
 *
 * Any thread, no state.  out->bad when there was no memory.
 */
#ifndef ADMIN_ANSWER_H
#define ADMIN_ANSWER_H

#include "report/report.h"

/* RowDescription and all rows. */
void answer_rows(
	struct buf *out, const struct reply_column *column, size_t columns, const struct rowset *rows);
/* SHOW HELP: a notice that names every command and table. */
void answer_help(struct buf *out);

#endif
