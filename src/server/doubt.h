/*
 * doubt.h - finding out how many ReadyForQuery a server still owes.
 *
 * A Sync that is sent while COPY FROM STDIN looks open is ignored by PostgreSQL
 * if the COPY is open when it is read, and answered if the COPY has failed by
 * then.  After such a failure the client's Syncs and what belongs to a COPY are
 * passed on as ever, all else waits until a question of ours has settled it.
 *
 * The server's worker.
 */
#ifndef SERVER_DOUBT_H
#define SERVER_DOUBT_H

#include "server/server.h"

/* There is doubt that has not been asked about, and it could be now. */
bool doubt_may_ask(const struct server *s);
/* Nobody is in the middle of a message to this server: asks it, if there is doubt and it has not been asked. */
void doubt_ask(struct server *s);
/* The rider has a message that must not be sent yet (EXPECT_WAIT), and has sent nothing of it: makes the server say
 * what is missing.  on_room follows with each reply.  false: no memory (the server ends). */
bool doubt_wait(struct server *s) FX_MUST_USE;

#endif
