/*
 * vars.h - parameters that follow a client from server to server.
 *
 * The client's worker.  What the client gave at startup, and what a server has
 * reported to it later, is set again on the next server that has something else;
 * what the server does not report (statement_timeout ...) is set from the startup
 * packet and taken away for the next client.  Two hashes are compared for a
 * transaction that needs nothing; what is needed goes out as one query of ours in
 * front of the client's bytes.
 */
#ifndef SESSION_VARS_H
#define SESSION_VARS_H

#include "session/client.h"

struct share_welcome;

/* The client gave name = value in its startup packet; false: not a name that is taken (the client may have been told
 * so already), or no memory. */
bool vars_set(struct client *c, const char *name, const char *value);
/* The whole startup packet is read: application_name_add_host. */
void vars_complete(struct client *c);
/* Logged in: what it has now is what RESET goes back to.  false: no memory. */
bool vars_started(struct client *c) FX_MUST_USE;
/* The server has reported a parameter to its client. */
void vars_reported(struct client *c, struct server *s, const char *name, const char *value);
/* The client is about to use s: makes the parameters of s the client's.  Called right after server_ride; s->ours_unsent
 * is the number of bytes of ours in front.  false: no memory, nothing was said; the client may not use s. */
bool vars_apply(struct client *c, struct server *s);
/* A message of ours was refused by the server: what is set there is not known any more; fails the
 * client, or says it again. */
void vars_failed(struct client *c, struct server *s, const char *sqlstate, const char *message);

/* The encoding in which the client was told this server's texts; NULL: the server's own. */
const char *vars_encoding(const struct server *s, const struct params *now);
/* Sends a query of ours; gives the bytes sent, 0 when there was nothing to say, -1 when there is no memory. */
long vars_say(struct server *s, struct buf *sql);

/* ParameterStatus messages of the greeting: the welcome's, with the values that are the client's own. */
void vars_greet(const struct client *c, const struct share_welcome *welcome, struct buf *out);
/* The same of the server that the client has. */
void vars_greet_of(const struct server *s, struct buf *out);
/* Other spellings of the same values. */
void vars_replace(struct client *c, const struct params *values);
void vars_free(struct client *c);

#endif
