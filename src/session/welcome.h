/*
 * welcome.h - what a client is told when it is in, and the server that is needed for it.
 *
 * The client's worker, states AUTH to ATTACHING.  The welcome needs a server to have been
 * ready once, and one that spells out what the client asked for.
 */
#ifndef SESSION_WELCOME_H
#define SESSION_WELCOME_H

#include "session/client.h"

/* Let in, with its pool: state WELCOME. */
void welcome_begin(struct client *c);
/* State ATTACHING, the lease is granted: the client keeps this server from now on, and is told its process id. */
void welcome_attach(struct client *c);
/* There is no server for this login: why, in the words and with the code of the profile. */
void welcome_no_server(struct client *c, const struct server_failure *why);

#endif
