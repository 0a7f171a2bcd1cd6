/*
 * rider.h - the server's half of the relay: replies to the client, the end of a
 * transaction, the loss of a server.
 *
 * Callbacks of server.h on the client's worker.
 */
#ifndef SESSION_RIDER_H
#define SESSION_RIDER_H

#include "session/client.h"

extern const struct server_rider_ops rider_ops;

#endif
