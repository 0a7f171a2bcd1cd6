/*
 * cancels.h - every order of a cancel against finish, close, crash and timeout, for two clients and one server.
 */
#ifndef SIM_CANCELS_H
#define SIM_CANCELS_H

#include "world.h"

/* Seed: which steps there are; 0 and up, a seed beyond the last one does nothing.  Runs all orders of them. */
void cancels_run(uint64_t seed, bool verbose, struct world_counts *counts);

#endif
