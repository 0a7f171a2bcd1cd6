/*
 * stats.c - counts of one pool on one worker.
 */
#include "stats/stats.h"

#include <string.h>

_Static_assert(sizeof(struct stats) == STATS_COUNT * sizeof(uint64_t), "stats is counters and nothing else");

static const char *const stats_names[STATS_COUNT] = {
#define COUNTER(id) [STATS_##id] = #id,
#include "stats/counters.def"
#undef COUNTER
};

const char *stats_name(enum stats_counter counter)
{
	return stats_names[counter];
}

uint64_t stats_get(const struct stats *s, enum stats_counter counter)
{
	uint64_t v;

	memcpy(&v, (const char *)s + (size_t)counter * sizeof(v), sizeof(v));
	return v;
}

void stats_add(struct stats *to, const struct stats *from)
{
#define COUNTER(id) to->id += from->id;
#include "stats/counters.def"
#undef COUNTER
}

void stats_difference(struct stats *to, const struct stats *now, const struct stats *before)
{
#define COUNTER(id) to->id = now->id - before->id;
#include "stats/counters.def"
#undef COUNTER
}
