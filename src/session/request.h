/*
 * request.h - how a request gets its server, or is refused.
 *
 * The client's worker, from the relay and from the lease.
 */
#ifndef SESSION_REQUEST_H
#define SESSION_REQUEST_H

#include "session/client.h"

/* What becomes of a message. */
enum request_verdict {
	VERDICT_FORWARD,
	VERDICT_DROP,
	VERDICT_SENT, /* in other words */
	VERDICT_MORE, /* bytes are needed */
	VERDICT_WAIT, /* for a server, or for answers; the message stays unread */
	VERDICT_END,  /* the client is closing */
};

/* A request begins and the client has no server.  DROP: its error has been sent. */
enum request_verdict request_ask(struct client *c);
extern const struct lease_ops request_lease_ops;
/* The lease of a request that had to move was granted at once. */
void request_granted_again(struct client *c);
/* State WAITING: the request is answered with an error and dropped, the session goes on. */
void request_refuse(struct client *c, const char *sqlstate, const char *message);
/* The error has been sent: drops what is left of the request, then says that we are ready. */
enum request_verdict request_skip(struct client *c, uint8_t type);

#endif
