/*
 * porch.h - who may stand before the door: the limits of connections that have not logged in yet.
 *
 * The worker that accepts.  Whoever is over a limit of strangers never becomes a client: he is told and closed at once, or
 * those who are refused would be counted among those who are there.
 */
#ifndef SESSION_PORCH_H
#define SESSION_PORCH_H

#include "net/addr.h"
#include "pool/hub.h"

struct worker;

/* Most connections that have not logged in yet, of all and of one address; 0: no limit of its own. */
unsigned porch_max(const struct conf_settings *set);
unsigned porch_max_of_address(const struct conf_settings *set);

/* Counts a connection that was accepted.  true: it becomes a client, with *place among the strangers and *answer as the hub
 * has it.  false: fd was taken and is closed, nothing is counted. */
bool porch_enter(struct worker *acceptor, int fd, const struct addr *peer, uint16_t *place, enum hub_answer *answer) FX_MUST_USE;

#endif
