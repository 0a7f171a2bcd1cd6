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

/* As conn's on_bytes. */
size_t relay_on_bytes(struct client *c, struct chunk *chunk, const uint8_t *data, size_t n);

#endif
