/*
 * relay.h - a client that is logged in: its messages to a server, the replies back.
 *
 * The client's worker.  Reads five bytes of each message; runs of whole and
 * partial messages go on as they came.  When a request begins a lease is asked
 * for; when the server is quiet again it is returned.
 */
#ifndef SESSION_RELAY_H
#define SESSION_RELAY_H

#include "session/client.h"

#define RELAY_KEEP ((size_t)16 * 1024) /* bytes kept of a client that waits for a server */

extern const struct lease_ops relay_lease_ops;

/* The lease of a request that had to move was granted at once. */
void relay_granted_again(struct client *c);
/* As conn's on_bytes. */
size_t relay_on_bytes(struct client *c, struct chunk *chunk, const uint8_t *data, size_t n);
/* State WAITING: the request is answered with an error and dropped, the session goes on. */
void relay_refuse_request(struct client *c, const char *sqlstate, const char *message);

#endif
