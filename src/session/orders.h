/*
 * orders.h - what the console tells one worker to do with its clients and servers.
 *
 * The worker's thread (the control thread sends them with worker_call); an order
 * concerns this worker's part only, so it is given to all.
 */
#ifndef SESSION_ORDERS_H
#define SESSION_ORDERS_H

#include "session/client.h"

/* database NULL: all.  Idle servers are closed; those in use when they come back, because their share is paused. */
void orders_pause(struct worker *w, const char *database);
/* The share is not paused any more: whoever waits is served. */
void orders_resume(struct worker *w, const char *database);
/* Servers that were connected before (monotonic) are closed: idle ones now, others when they are free. */
void orders_reconnect(struct worker *w, const char *database, uint64_t before);
/* Ends clients and servers at once. */
void orders_kill(struct worker *w, const char *database);
/* Servers that wait to be closed because they are outdated. */
unsigned orders_outdated(struct worker *w, const char *database);

/* true: there was such a client, and it is being ended. */
bool orders_kill_client(struct worker *w, uint64_t id);

enum orders_found { ORDERS_NOBODY, ORDERS_IDLE, ORDERS_FOUND };
/* Is there a client of that id / a server of that id or pid (0: don't look), and does it do something?  token names the
 * request that it does, so that the next one is not taken for it. */
enum orders_found orders_find_client(struct worker *w, uint64_t id, uint64_t *token);
enum orders_found orders_find_server(struct worker *w, uint64_t id, uint32_t pid, uint64_t *token);
/* Cancels what it runs or waits for, if that is the request of this token.  false: there is nothing of the kind. */
bool orders_cancel_client(struct worker *w, uint64_t id, uint64_t token);
bool orders_cancel_server(struct worker *w, uint64_t id, uint32_t pid, uint64_t token);
bool orders_kill_server(struct worker *w, uint64_t id, uint32_t pid);

#endif
