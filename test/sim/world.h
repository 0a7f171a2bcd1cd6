/*
 * world.h - one seed: what stands where, what the weather is like, what goes wrong.
 */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include "sim.h"

enum world_mode {
	WORLD_ANY,
	WORLD_DIRECT, /* clients on the fake server itself: proves the oracle */
	WORLD_TOY,    /* through a relay without a pool: proves net and the engine */
	WORLD_SABOTAGE, /* through a relay that does wrong: proves that the oracle can fail */
	WORLD_POOLER,
	WORLD_PIPELINE, /* an error at each place of a pipeline of 200 messages: a seed is a place and a shape */
	WORLD_CANCELS, /* all orders of few events: see cancels.h */
};

#define WORLD_COUNTS                                                                                         \
	WORLD_COUNT(seeds, "seeds")                                                                          \
	WORLD_COUNT(steps, "steps")                                                                          \
	WORLD_COUNT(clients, "clients")                                                                      \
	WORLD_COUNT(requests, "requests")                                                                    \
	WORLD_COUNT(replies, "messages that came as foretold")                                               \
	WORLD_COUNT(errors, "errors with an excuse")                                                         \
	WORLD_COUNT(deaths, "clients that left in the middle")                                               \
	WORLD_COUNT(cancels, "cancel requests sent")                                                         \
	WORLD_COUNT(cancels_hit, "cancel requests that hit")                                                 \
	WORLD_COUNT(logins, "server connections opened")                                                     \
	WORLD_COUNT(statements, "statements run")                                                            \
	WORLD_COUNT(kills, "server connections broken by faults")                                            \
	WORLD_COUNT(orders, "orders of events about a cancel")                                                \
	WORLD_COUNT(rests, "moments at rest where nobody waited beside a free server")

struct world_counts {
#define WORLD_COUNT(name, text) unsigned long name;
	WORLD_COUNTS
#undef WORLD_COUNT
};

bool world_mode_parse(const char *text, enum world_mode *mode);
/* Returns when all went well. */
void world_run(uint64_t seed, enum world_mode mode, bool verbose, struct world_counts *counts);

#endif
