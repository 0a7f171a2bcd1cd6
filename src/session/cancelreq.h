/*
 * cancelreq.h - a client's CancelRequest: from its connection to the request it means.
 *
 * Begins on the worker that accepted the connection; the keyring knows the worker of
 * the client it means, and the errand goes there by mail.  The connection is
 * closed when the cancel is over, so that its sender can wait for that.
 */
#ifndef SESSION_CANCELREQ_H
#define SESSION_CANCELREQ_H

#include "proto/startup.h"
#include "session/client.h"

void cancelreq_begin(struct client *c, const struct startup *s);
/* Cancels what a client does now: used by the console and by long_query_action too.  done (may be NULL) is called
 * once, later, when that is over.  false: nothing to cancel, or nothing to wait for; done is not called. */
bool cancelreq_cancel(struct client *victim, void (*done)(void *arg), void *arg);

#endif
