/*
 * monitor.h - looks at all pools once a second, and remembers.
 *
 * The control thread.  Keeps the last ten seconds of every pool for the health
 * score, and the counts at the last two ends of a stats_period for the averages;
 * writes the line "stats: ..." and a status line per pool each stats_period, and a
 * status line whenever the status of a pool changes.
 */
#ifndef REPORT_MONITOR_H
#define REPORT_MONITOR_H

#include "pool/health.h"
#include "report/memory.h"
#include "report/sample.h"

struct monitor;
struct weight;

struct monitor_ops {
	const struct conf *(*conf)(void *owner); /* borrowed */
	/* Adds what the console itself has done. */
	void (*console)(void *owner, struct stats *out);
};

/* Begins to look.  Borrows all. */
struct monitor *monitor_new(struct loop *control, struct worker **workers, unsigned n,
	const struct monitor_ops *ops, void *owner);
/* When no worker runs any more and the control loop's mail is drained. */
void monitor_free(struct monitor *m);

/* Health of a pool now: counts of the last ten seconds, the rest from this fresh sample. */
void monitor_health(struct monitor *m, const struct sample_pool *now, struct health *out);
/* The lowest of all pools' (and of the memory); the sentence names the pool. */
void monitor_overall(struct monitor *m, const struct sample *now, struct health *out);
/* Adds what a pool has counted in the last full stats_period; share NULL: the console. */
void monitor_period(struct monitor *m, const struct share *share, struct stats *add);
/* What monitor_period gave, as PgBouncer's averages: counts, bytes and wait_time per second, xact_time and query_time per
 * transaction and query. */
void monitor_average(const struct monitor *m, const struct stats *period, struct stats *out);
struct memory_use monitor_memory(const struct monitor *m);

/* Of the counts of former seconds. */
void monitor_weigh(const struct monitor *m, struct weight *to);

#endif
