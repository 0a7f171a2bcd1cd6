/*
 * tlslate.h - handshakes of clients that have to wait, so that a storm of them does not hold up everybody else.
 *
 * For tls.c and loop.c; the loop's thread.  A signature takes milliseconds, and hundreds of clients may ask for one
 * at the same moment.  When a turn has lasted for some milliseconds, what comes for a handshake is put aside with its
 * connection in a queue, which gets its share of each turn from then on: first come, first served.
 */
#ifndef NET_TLSLATE_H
#define NET_TLSLATE_H

#include "net/conn.h"

#define TLSLATE_TURN_US UINT64_C(4000) /* a turn that has lasted so long begins no other step of a handshake */

void tlslate_init(struct loop *loop);
/* c is in its handshake and n bytes have come for it.  true: they were put aside, and no more is read until they have had their
 * turn (or c ends, for want of memory). */
bool tlslate_takes(struct conn *c, const uint8_t *data, size_t n);
/* c's stream goes away. */
void tlslate_forget(struct tls *t);

#endif
