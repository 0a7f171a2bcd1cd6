/*
 * secured.h - TLS towards a client.
 *
 * The client's worker, from entry.c and client.c.
 */
#ifndef SESSION_SECURED_H
#define SESSION_SECURED_H

#include "session/client.h"

/* Is this client, where it comes from, answered S?  (Never on a Unix socket.) */
bool secured_is_offered(const struct client *c);
/* May it log in the way it has come? */
bool secured_is_enough(const struct client *c);
/* What is queued goes out in the clear, then TLS. */
void secured_begin(struct client *c);
/* Direct TLS: its first bytes are a TLS record. */
void secured_begin_direct(struct client *c, const uint8_t *data, size_t n);
void secured_on_secured(struct conn *conn);
/* The reason, into the log; the client is closed. */
void secured_failed(struct client *c);

#endif
