/*
 * special.h - answers of a server that may have to be said to the client in other words.
 *
 * The client's worker, from the rider.
 */
#ifndef SESSION_SPECIAL_H
#define SESSION_SPECIAL_H

#include "session/client.h"

/* As on_special of server.h. */
bool special_on_message(struct client *c, struct server *s, uint8_t type, const uint8_t *body, size_t n);
/* More of an answer follows: what was held back goes to the client in front of that. */
void special_release(struct client *c);
/* The server is quiet.  true: the request that failed unseen is said anew, on the same server. */
bool special_retry(struct client *c, struct server *s);

#endif
