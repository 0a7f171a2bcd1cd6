/*
 * wait.h - a client that waits for a server: query_wait_notify, query_wait_timeout, and how it is told why.
 *
 * The client's worker, state WAITING.
 */
#ifndef SESSION_WAIT_H
#define SESSION_WAIT_H

#include "session/client.h"

/* Microseconds from the beginning of the wait to the next thing that is due; 0: nothing is. */
uint64_t wait_duration(const struct client *c);
/* spent microseconds have been waited, and wait_duration is over. */
void wait_on_deadline(struct client *c, uint64_t spent);
/* A client that was to get its server at login (ATTACHING) has waited for query_wait_timeout. */
void wait_fail_login(struct client *c);
/* What keeps servers away from this client, as words that end a sentence. */
void wait_explain(const struct client *c, char *out, size_t size);

#endif
