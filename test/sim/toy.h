/*
 * toy.h - the least that can stand between a client and a server: one relay for each
 * client, on the house's loops and conns.
 *
 * It proves src/net, the engine, the fake peers and the oracle by themselves, without
 * the pooler; what fails here is not the pooler's fault.
 */
#ifndef SIM_TOY_H
#define SIM_TOY_H

#include "net_sim.h"

/* What the relay does wrong, once, after some bytes: the simulator must notice each. */
enum toy_sabotage {
	TOY_HONEST,
	TOY_LOSES,     /* a byte */
	TOY_DOUBLES,   /* a run of replies */
	TOY_MISPLACES, /* gives a run of replies to another client */
	TOY_STALLS,    /* never reads a server again */
	TOY_INVENTS,   /* a cancel request that nobody asked for is not possible here: an error message */
	TOY_SABOTAGES,
};

void toy_start(unsigned loops, enum toy_sabotage sabotage);
/* Was the wrong done? */
bool toy_has_sinned(void);
struct nsock *toy_connect(void);
void toy_finish(void);

#endif
