/*
 * outgo.h - what of a conn goes over the wire next: its queue, or the ciphertext made of it.
 *
 * For engines and conn.c.
 */
#ifndef NET_OUTGO_H
#define NET_OUTGO_H

#include "net/conn.h"

struct iovec;
/* Fills at most max vectors with what is to be written next; returns how many, 0 when nothing can be written. */
int outgo_vectors(struct conn *c, struct iovec *vec, int max);
/* The first n bytes of these are written. */
void outgo_consume(struct conn *c, size_t n);
/* It is blocked: lets go of shared chunks where slices are small. */
void outgo_compact(struct conn *c);
/* The socket's own TLS takes them (tlskernel.h). */
bool outgo_is_kernels(const struct conn *c);
/* Where these vectors lie. */
struct outq *outgo_queue(struct conn *c);

#endif
