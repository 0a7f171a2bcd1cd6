/*
 * tlsout.h - the way out of a TLS stream: encrypting when the engine asks for something to write.
 *
 * For conn.c; the conn's thread.  What was encrypted stays in the conn's queue
 * until the first byte of it is written.
 */
#ifndef NET_TLSOUT_H
#define NET_TLSOUT_H

#include "net/conn.h"

int tlsout_vectors(struct conn *c, struct iovec *vec, int max);
void tlsout_done(struct conn *c, size_t n);
/* Bytes of the conn's queue of which nothing was written yet. */
size_t tlsout_untaken(const struct conn *c);
/* Nothing more can be said. */
void tlsout_drop(struct conn *c);
/* close_notify was queued now. */
bool tlsout_bye(struct conn *c);

#endif
