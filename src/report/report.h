/*
 * report.h - every table that we show, declared once.
 *
 * A table is a name, a role, columns, and how its rows are made: by each worker
 * from what it owns (rows), or by the control thread from a joined sample (fill).
 * The console shows them; HTTP and metrics will.
 */
#ifndef REPORT_REPORT_H
#define REPORT_REPORT_H

#include "proto/reply.h"
#include "report/monitor.h"
#include "report/rowset.h"
#include "report/waits.h"

#define REPORT_CONSOLE_DATABASE "pgbouncer" /* the console's row in POOLS, STATS and DATABASES */

struct report_ask {
	bool has_number;
	double number; /* SHOW LONG_QUERIES 2.5 */
	bool is_admin; /* others see query texts without their literals */
};

/* What fill may look at. */
struct report_view {
	struct conf *conf; /* a reference is kept while the table is collected */
	struct hub *hub;
	struct monitor *monitor;
	struct waits *waits;
	const struct sample *sample;
	struct stats console; /* counts of the console itself */
	struct report_ask ask;
	uint64_t now; /* monotonic */
};

struct report_table {
	const char *name; /* upper case */
	unsigned role;    /* IDENTITY_STATS or IDENTITY_ADMIN: who may see it */
	const struct reply_column *column;
	size_t columns;
	/* One of both.  On the worker's thread: its rows. */
	void (*rows)(struct worker *w, const struct report_ask *ask, struct rowset *out);
	/* On the control thread. */
	void (*fill)(const struct report_view *view, struct rowset *out);
	/* With rows, may be NULL.  On the control thread: makes the table's rows of the workers' rows, which have
	 * part_columns cells. */
	void (*finish)(const struct report_view *view, const struct rowset *parts, struct rowset *out);
	size_t part_columns;
	bool is_local; /* fill needs no sample */
	bool takes_number;
};

/* NULL: no such table.  Case-blind. */
const struct report_table *report_find(const char *name);
/* All tables in the order of SHOW HELP: start with *at = 0; NULL at the end. */
const struct report_table *report_next(size_t *at);

struct report_run;
/* The control thread: collects a table's rows from all workers.  view: conf, hub, monitor, waits, console and ask are filled in,
 * the rest is not.  done is called on the control thread, not before this returns; rows is lent until it returns. */
void report_start(struct loop *control, struct worker **workers, unsigned n, const struct report_table *table,
	const struct report_view *view, void (*done)(void *arg, const struct rowset *rows), void *arg);

#endif
