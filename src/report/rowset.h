/*
 * rowset.h - rows of typed cells, before anybody decides how they are written.
 *
 * One owner.  A worker fills one of its own, the control thread joins them and
 * gives the result to whoever asked: the console writes wire messages.  A rowset
 * that ran out of memory is bad as a whole (rowset_is_bad) and shows no rows.
 */
#ifndef REPORT_ROWSET_H
#define REPORT_ROWSET_H

#include "base/buf.h"

enum rowset_kind { ROWSET_NULL, ROWSET_TEXT, ROWSET_INT, ROWSET_UINT, ROWSET_TIME };

struct rowset {
	struct buf cells;
	size_t columns;
	size_t count; /* cells, of all rows */
};

struct rowset_cell {
	enum rowset_kind kind;
	const char *text; /* ROWSET_TEXT: NUL-terminated, lent until the rowset changes */
	int64_t number;   /* ROWSET_INT */
	uint64_t natural; /* ROWSET_UINT; ROWSET_TIME: wall clock, microseconds */
};

void rowset_init(struct rowset *r, size_t columns);
void rowset_fini(struct rowset *r);

/* The next cell of the row that is being filled; every columns cells make a row. */
void rowset_null(struct rowset *r);
void rowset_text(struct rowset *r, const char *text); /* NULL: null */
void rowset_int(struct rowset *r, int64_t v);
void rowset_uint(struct rowset *r, uint64_t v);
void rowset_time(struct rowset *r, uint64_t wall_us);
void rowset_format(struct rowset *r, const char *fmt, ...) FX_PRINTF(2, 3);

/* All rows of from after those of to; same number of columns. */
void rowset_append(struct rowset *to, const struct rowset *from);
bool rowset_is_bad(const struct rowset *r);
size_t rowset_rows(const struct rowset *r);
/* Walks all cells, row by row: start with *at = 0; false at the end. */
bool rowset_next(const struct rowset *r, size_t *at, struct rowset_cell *out);

#endif
