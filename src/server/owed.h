/*
 * owed.h - what an expectation queue says about the requests in it: how many are not answered, and is it just one.
 *
 * Each walks over the entries: at the end of a turn, a cancel or the loss of a server, never for a message.
 * The server's worker.
 */
#ifndef SERVER_OWED_H
#define SERVER_OWED_H

#include "server/expect.h"

/* ReadyForQuery messages still owed to the client; counts no further than 2. */
unsigned owed_ready(const struct expect *e);
/* Is a ReadyForQuery still to come, the client's or ours? */
bool owed_any_ready(const struct expect *e);
/* May a cancel of ours hit what runs?  Only when nothing comes behind it: a cancelled BEGIN would let the rest of a
 * pipeline run, and commit, outside of the transaction it belongs to. */
bool owed_may_cancel(const struct expect *e);
/* Is what is owed one whole request: a batch and its Sync, or one Query or FunctionCall?  After a Query in the middle
 * of a batch nobody could tell whose ReadyForQuery comes. */
bool owed_is_one_request(const struct expect *e);

#endif
