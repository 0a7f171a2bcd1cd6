/*
 * entry.h - the way in: first packet, proof, welcome.
 *
 * The client's worker, states STARTUP, AUTH and WELCOME.  Takes from the stream
 * exactly what belongs to the login; a byte more is kept for the session.
 */
#ifndef SESSION_ENTRY_H
#define SESSION_ENTRY_H

#include "session/client.h"

void entry_begin(struct client *c);
size_t entry_on_bytes(struct client *c, struct chunk *chunk, const uint8_t *data, size_t n);
/* Nothing has been received yet (a port scan, a health check). */
bool entry_is_untouched(const struct client *c);
void entry_free(struct client *c);

#endif
