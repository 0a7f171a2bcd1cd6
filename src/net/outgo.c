/*
 * outgo.c - what of a conn goes over the wire next.
 *
 * See outgo.h.
 */
#include "net/outgo.h"

#include "net/loop.h"
#include "net/tls_impl.h"
#include "net/tlsout.h"

int outgo_vectors(struct conn *c, struct iovec *vec, int max)
{
	return c->tls != NULL ? tlsout_vectors(c, vec, max) : outq_vectors(&c->out, vec, max);
}

void outgo_consume(struct conn *c, size_t n)
{
	if (c->tls != NULL)
		tlsout_done(c, n);
	else
		outq_consume(&c->out, c->loop, n);
}

void outgo_compact(struct conn *c)
{
	outq_compact(&c->out, c->loop);
	if (c->tls != NULL)
		outq_compact(&c->tls->cipher, c->loop);
}

bool outgo_is_kernels(const struct conn *c)
{
	return c->tls != NULL && c->tls->is_kernels;
}

struct outq *outgo_queue(struct conn *c)
{
	return c->tls != NULL && !c->tls->is_kernels ? &c->tls->cipher : &c->out;
}
