/*
 * stray.h - what had arrived for a conn and was not told to it when it leaves its loop.
 *
 * For engines, inside detach: it goes along, and is told on the next loop.
 */
#ifndef NET_STRAY_H
#define NET_STRAY_H

#include "net/conn.h"

/* Bytes as they came from the wire, which lie in chunk. */
void stray_bytes(struct conn *c, struct chunk *chunk, uint8_t *data, size_t n);
void stray_end(struct conn *c, enum conn_end end, int err);
/* Reads once what the kernel has: a farewell that has come in this very turn is known before anything is said to the peer on
 * the next loop. */
void stray_rest(struct conn *c);

#endif
