/*
 * cancel.h - a CancelRequest on its way to PostgreSQL.
 *
 * "Canceling Requests in Progress": a connection of its own, closed by the server
 * when the signal has been sent.  While it is under way its server is held, that
 * is not quiet, so it can never hit another client's query.  Right before the
 * bytes are sent the request number is compared once more.  A server has at most
 * one such connection; a second cancel for it shares the first, or waits.
 *
 * The server's worker only.
 */
#ifndef SERVER_CANCEL_H
#define SERVER_CANCEL_H

#include "server/server.h"

/* Begins to cancel what s runs now.  true: it will be; done (may be NULL) is called once, from the loop, when that is
 * over, however it went.  false: nothing is running or no memory; or the cancel is under way, and too many wait for
 * its end already.  done is not called then. */
bool cancel_start(struct server *s, void (*done)(void *arg), void *arg);
/* May one that is out still strike what s is sent now? */
bool cancel_may_hit(const struct server *s);
/* A request, or a statement of ours, is over: the cancel that waited for that goes now, or is not needed any more. */
void cancel_proceed(struct server *s);
/* The server is gone: cancels that were sent lose it and end by themselves, others end now. */
void cancel_forget(struct server *s);
/* Adds how many are under way, and how many wait for the end of one that is. */
void cancel_tally(const struct server *s, unsigned *active, unsigned *waiting);

#endif
