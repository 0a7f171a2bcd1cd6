/*
 * longlist.h - the long queries of one moment, with what it takes to ask PostgreSQL about them.
 *
 * Each worker fills one of its own on its thread; the control thread reads and ends them.
 */
#ifndef REPORT_LONGLIST_H
#define REPORT_LONGLIST_H

#include "report/machine.h"
#include "session/worker.h"

#define LONGLIST_MAX 256 /* more of one worker are not asked about */
#define LONGLIST_WHO 224

struct longlist_item {
	uint32_t pid;
	uint64_t since; /* monotonic; tells this query from the next one on its server */
	bool is_long;	/* beyond its own long_query_time, not only beyond somebody's wish */
	struct machine machine;
	struct share *share;		/* lives as long as the hub */
	struct target *target;		/* a reference */
	const struct target_host *host; /* of target */
	char who[LONGLIST_WHO];		/* the client's context for log lines */
};

struct longlist {
	struct longlist_item *item;
	size_t count, cap;
};

void longlist_init(struct longlist *l);
void longlist_fini(struct longlist *l);
/* The worker's thread: appends what has lasted for its long_query_time, or for threshold microseconds (UINT64_MAX: no
 * such wish). */
void longlist_take(struct worker *w, uint64_t threshold, struct longlist *l);

#endif
