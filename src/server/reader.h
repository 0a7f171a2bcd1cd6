/*
 * reader.h - what a server says: framing, expectations, and runs for the rider.
 *
 * Called from the loop on the server's worker.  Reads five bytes of each message
 * and the whole of a few small kinds; the rest streams through untouched.
 */
#ifndef SERVER_READER_H
#define SERVER_READER_H

#include "server/server.h"

#define READER_WHOLE_MAX ((size_t)128 * 1024) /* longest message that we must see whole */

enum {
	READER_FORWARD = 1, /* for the rider */
	READER_WHOLE = 2,   /* must be seen whole */
	READER_HELD = 4,    /* for the rider, but passed on only when it was looked into */
	READER_PARSED = 8,  /* not for the rider, who is told ParseComplete instead */
	READER_RIDERS = READER_FORWARD | READER_HELD,
};

size_t reader_on_bytes(struct conn *c, struct chunk *chunk, const uint8_t *data, size_t n);

#endif
