/*
 * ioweight.c - what conns and loops weigh.
 */
#include "net/ioweight.h"

#include "base/mem.h"
#include "net/loop.h"
#include "net/tls_impl.h"

#include "config.h"

#ifdef HAVE_LIBURING
#include "net/bufring.h"
#include "net/engine_uring.h"

static void ioweight_flight(const struct conn *c, enum weight_purpose own, struct weight *to)
{
	if (c->is_open && c->loop->engine == &engine_uring_ops)
		weight_block(to, own, engine_uring_flight(c));
}

static void ioweight_engine(struct loop *loop, struct weight *to)
{
	const struct engine_uring *e;

	if (loop->engine != &engine_uring_ops)
		return;
	e = engine_uring_of(loop);
	weight_block(to, WEIGHT_WORKERS, e);
	weight_block(to, WEIGHT_WORKERS, e->u.buffers.ring);
	weight_block(to, WEIGHT_WORKERS, e->dialled.event);
	weight_block(to, WEIGHT_WORKERS, e->accepted.event);
	weight_block(to, WEIGHT_WORKERS, e->doors.event);
	for (unsigned i = 0; i < BUFRING_MAX; i++)
		weight_object(to, WEIGHT_BUFFER_RINGS, e->u.buffers.chunk[i]);
	for (const struct chunk *c = e->chunks.free; c != NULL; c = c->next)
		weight_object(to, WEIGHT_BUFFERS_KEPT, c);
	for (const struct flight *f = e->flights.free; f != NULL; f = f->next_sent)
		weight_object(to, WEIGHT_SPARES, f);
}
#else
static void ioweight_flight(const struct conn *c FX_UNUSED, enum weight_purpose own FX_UNUSED, struct weight *to FX_UNUSED)
{
}

static void ioweight_engine(struct loop *loop FX_UNUSED, struct weight *to FX_UNUSED)
{
}
#endif

void ioweight_conn(const struct conn *c, enum weight_purpose own, struct weight *to)
{
	outq_weigh(&c->out, to);
	weight_object(to, WEIGHT_QUEUED, c->kept.data);
	ioweight_flight(c, own, to);
	if (c->tls == NULL)
		return;
	weight_object(to, WEIGHT_TLS, c->tls);
	weight_block(to, WEIGHT_TLS, c->tls->error);
	weight_buf(to, WEIGHT_TLS, &c->tls->late);
	weight_bytes(to, WEIGHT_TLS, 0, c->tls->memory);
	outq_weigh(&c->tls->cipher, to);
}

void ioweight_loop(struct loop *loop, struct weight *to)
{
	for (const struct chunk *c = loop->chunks.free; c != NULL; c = c->next)
		weight_object(to, WEIGHT_BUFFERS_KEPT, c);
	for (const struct loop_block *b = loop->free_blocks; b != NULL; b = b->next)
		weight_object(to, WEIGHT_SPARES, b);
	outq_weigh_spares(loop, to);
	ioweight_engine(loop, to);
}
