/*
 * clean.h - work of ours on an idle or abandoned server: ping, drain, roll back, reset.
 *
 * The server's worker.  All messages sent here are entries of ours in the
 * expectation queue; nothing of them reaches a client.
 */
#ifndef SERVER_CLEAN_H
#define SERVER_CLEAN_H

#include "server/server.h"

/* Only in state IDLE.  on_rested follows, or the server ends. */
void clean_ping(struct server *s, uint64_t timeout);
/* State ACTIVE, the rider has gone, maybe in mid-work, but not in mid-message: cancel, drain, roll back, and the
 * reset query if asked for.  on_rested follows, or the server ends. */
void clean_begin(struct server *s, bool reset);
/* Something arrived or left: the next step, if the server has come to rest from the last. */
void clean_settled(struct server *s);

#endif
