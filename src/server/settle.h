/*
 * settle.h - what a server does when all that has come is read.
 *
 * The quiet rule is looked at here, and in no other place.  The server's worker,
 * from the loop.
 */
#ifndef SERVER_SETTLE_H
#define SERVER_SETTLE_H

#include "server/server.h"

/* Something has changed that its state waits for: the next step of a login, a cleaning, or of the rider. */
void settle_server(struct server *s);

#endif
