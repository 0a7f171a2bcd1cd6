/*
 * watch.h - long queries, idle transactions and transactions beyond their time.
 *
 * The worker's thread, twice a second, over the servers in use only.
 */
#ifndef SESSION_WATCH_H
#define SESSION_WATCH_H

#include "session/client.h"

enum watch_state { WATCH_NONE, WATCH_ACTIVE, WATCH_IDLE_IN_TRANSACTION };

/* What a server in use is doing, and since when (monotonic). */
enum watch_state watch_look(const struct server *s, uint64_t *query_since, uint64_t *xact_since);
void watch_start(struct worker *w);
/* server_fast_close: in session mode, ends a client whose server is outdated and quiet.  true: it has been ended. */
bool watch_fast_close(struct client *c);
/* Text of the running query for people: escaped, bounded, literals replaced when hide. */
void watch_text(const struct server *s, bool hide, char *out, size_t size);

#endif
