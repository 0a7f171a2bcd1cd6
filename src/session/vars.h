/*
 * vars.h - parameters that follow a client from server to server.
 *
 * The client's worker.  The tracked ones are those of vars_names: what the
 * client set at startup, or what a server reported to it later, is set again on
 * the next server when that has something else.  Two hashes are compared for a
 * transaction that needs nothing; what is needed goes out as one query of ours in
 * front of the client's bytes.
 */
#ifndef SESSION_VARS_H
#define SESSION_VARS_H

#include "session/client.h"

/* The client gave name = value in its startup packet; false: not a tracked name, or no memory. */
bool vars_set(struct client *c, const char *name, const char *value);
/* The server has reported a parameter to its client. */
void vars_reported(struct client *c, struct server *s, const char *name, const char *value);
/* The client is about to use s: makes the tracked parameters of s the client's.  Called right after server_ride.
 * false: no memory, nothing was said; the client may not use s. */
bool vars_apply(struct client *c, struct server *s);
/* ParameterStatus messages for what the client set itself. */
void vars_greet(const struct client *c, struct buf *out);
/* Other values of the same parameters. */
void vars_replace(struct client *c, const struct params *values);
void vars_free(struct client *c);
/* Is this a name that follows the client? */
bool vars_is_tracked(const char *name);

#endif
