/*
 * record.h - the client's own bytes of a request, while the request may have to be said anew.
 *
 * Only for clients with prepared statements, whose messages went out in other
 * words: to another server when not one byte of it has been written, or to the
 * same one when a statement must be prepared anew before anything was executed.
 * Ends with the first byte of an answer, or when it is too long.
 *
 * The client's worker.
 */
#ifndef SESSION_RECORD_H
#define SESSION_RECORD_H

#include "session/client.h"

/* A server has just been leased to the client. */
void record_begin(struct client *c);
/* From here on the request is said in other words: where nothing of it is written yet, what was sent of it as it came
 * is in the record now, too. */
void record_catch_up(struct client *c);
void record_add(struct client *c, const uint8_t *p, size_t n);
void record_end(struct client *c);
/* The client is told ParseComplete of a statement that has a name of ours, which stays true when the request is said
 * anew.  true: that need not count as an answer. */
bool record_tell_parsed(struct client *c);
/* Has it all of the request, of which nothing was answered yet? */
bool record_is_whole(const struct client *c);
/* Puts the request back in front of what the client has sent since; the connection must be paused.  -1: no memory,
 * nothing has changed.  Else the record has ended. */
int record_rewind(struct client *c) FX_MUST_USE;
/* The same, and it is said once more on the same server. */
int record_repeat(struct client *c) FX_MUST_USE;

#endif
