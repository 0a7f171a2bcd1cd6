/*
 * cancel.h - a CancelRequest on its way to PostgreSQL.
 *
 * "Canceling Requests in Progress": a connection of its own, closed by the server
 * when the signal has been sent.  While it is under way its server is held, that
 * is not quiet, so it can never hit another client's query.  Right before the
 * bytes are sent the request number is compared once more.
 *
 * The server's worker only.
 */
#ifndef SERVER_CANCEL_H
#define SERVER_CANCEL_H

#include "server/server.h"

struct cancel;

/* Begins to cancel what s runs now.  done (may be NULL) is called once, from the loop, when it is over, however
 * it went.  NULL: no memory or nothing is running; done is not called then. */
struct cancel *cancel_start(struct server *s, void (*done)(void *arg), void *arg);
/* A statement of ours is over: cancels that waited for that go now. */
void cancel_proceed(struct server *s);
/* The server is gone or moved on: its cancels lose it (they end by themselves). */
void cancel_forget(struct server *s);
/* Nobody waits for it any more: done will not be called. */
void cancel_orphan(struct cancel *c);

#endif
