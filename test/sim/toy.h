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

void toy_start(unsigned loops);
struct nsock *toy_connect(void);
void toy_finish(void);

#endif
