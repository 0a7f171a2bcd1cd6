/*
 * outgo.c - what of a conn goes over the wire next.
 *
 * See outgo.h.
 */
#include "net/outgo.h"

#include "net/loop.h"
#include "net/tls_impl.h"
#include "net/tlsout.h"

bool outgo_is_kernels(const struct conn *c)
{
	return c->tls != NULL && c->tls->is_kernels;
}

/* else the queue goes out as it is */
static bool outgo_is_sealed(const struct conn *c)
{
	return c->tls != NULL && !c->tls->is_kernels;
}

int outgo_vectors(struct conn *c, struct iovec *vec, int max)
{
	if (outgo_is_sealed(c))
		return tlsout_vectors(c, vec, max);
	/* nothing follows a fatal alert */
	return outgo_is_kernels(c) && c->tls->is_broken ? 0 : outq_vectors(&c->out, vec, max);
}

void outgo_consume(struct conn *c, size_t n)
{
	if (outgo_is_sealed(c))
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

struct outq *outgo_queue(struct conn *c)
{
	return outgo_is_sealed(c) ? &c->tls->cipher : &c->out;
}
