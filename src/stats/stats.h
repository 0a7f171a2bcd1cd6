/*
 * stats.h - counts of one pool on one worker.
 *
 * Plain fields, written by the owning worker only; readers on other threads get
 * copies by message.  One row of counters.def is one member, one addend and one
 * name.
 */
#ifndef STATS_STATS_H
#define STATS_STATS_H

#include "base/check.h"

enum stats_counter {
#define COUNTER(id) STATS_##id,
#include "stats/counters.def"
#undef COUNTER
	STATS_COUNT
};

#define STATS_PGBOUNCER_COUNT 12

struct stats {
#define COUNTER(id) uint64_t id;
#include "stats/counters.def"
#undef COUNTER
};

const char *stats_name(enum stats_counter counter);
uint64_t stats_get(const struct stats *s, enum stats_counter counter);
void stats_add(struct stats *to, const struct stats *from);
/* to = now - before, member by member */
void stats_difference(struct stats *to, const struct stats *now, const struct stats *before);

#endif
