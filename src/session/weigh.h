/*
 * weigh.h - what a worker and all it owns weighs.
 *
 * The worker's thread; takes a moment for each client and server, like SHOW CLIENTS.
 */
#ifndef SESSION_WEIGH_H
#define SESSION_WEIGH_H

#include "base/weight.h"

struct worker;

struct weigh {
	struct weight all;
	struct weight idle_clients, idle_servers; /* of all, what belongs to these alone */
	size_t clients, servers; /* idle ones */
};

/* Adds a worker's. */
void weigh_worker(struct worker *w, struct weigh *to);

#endif
