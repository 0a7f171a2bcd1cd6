/*
 * canon.h - the server's own spelling of what a client asked for at startup.
 *
 * "utf8" is UTF8 and "German" is "German, DMY" to PostgreSQL; what we greet with
 * must be what holds.  Spellings that this worker has seen are kept; one that it
 * has not is asked of a server in the course of the login, which also refuses
 * what no server would take.
 *
 * The client's worker, state WELCOME.
 */
#ifndef SESSION_CANON_H
#define SESSION_CANON_H

#include "session/client.h"

#define CANON_KEEP 1024 /* spellings kept by a worker */

/* Replaces what is known; false: a server must be asked (canon_ask). */
bool canon_is_known(struct client *c, const struct share_welcome *welcome);
/* The client's lease has been granted: rides it until the answer is there, then done(c). The client fails if the server
 * refuses.  The server has gone back to the pool then, but that of a client in state ATTACHING is idle and still held. */
void canon_ask(struct client *c, void (*done)(struct client *c));
void canon_fini(struct worker *w);

#endif
