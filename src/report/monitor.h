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

/* Counts for PgBouncer's averages: per second, but times per query / transaction. */
struct monitor_average {
	uint64_t value[STATS_COUNT];
};

struct monitor_ops {
	const struct conf *(*conf)(void *owner); /* borrowed */
	/* Adds what the console itself has done. */
	void (*console)(void *owner, struct stats *out);
};

/* Begins to look.  Borrows all. */
struct monitor *monitor_new(struct loop *control, struct worker **workers, unsigned n, const struct monitor_ops *ops,
			    void *owner);
/* When no worker runs any more. */
void monitor_free(struct monitor *m);

/* Health of a pool now: counts of the last ten seconds, the rest from this fresh sample. */
void monitor_health(struct monitor *m, const struct sample_pool *now, struct health *out);
/* The lowest of all pools' (and of the memory); the sentence names the pool. */
void monitor_overall(struct monitor *m, const struct sample *now, struct health *out);
/* Averages of the last full stats_period; share NULL: of the console. */
void monitor_averages(struct monitor *m, const struct share *share, struct monitor_average *out);
/* Adds the average of one to another's, weighing times by their counts. */
void monitor_difference(struct monitor *m, const struct share *share, struct stats *add);
/* Averages of a sum of differences. */
void monitor_average_of(struct monitor *m, const struct stats *difference, struct monitor_average *out);
struct memory_use monitor_memory(const struct monitor *m);

#endif
