/*
 * outq.h - bytes that wait to be written: a list of slices of chunks, or of memory of its own.
 *
 * One thread (the loop's); used by conn.c alone.  A slice of a chunk keeps the
 * whole chunk alive, so whatever may wait for long (a blocked or connecting
 * conn's small pieces) is copied instead.
 */
#ifndef NET_OUTQ_H
#define NET_OUTQ_H

#include "net/chunk.h"

struct buf;
struct iovec;
struct loop;
struct outq_seg;
struct weight;

struct outq {
	struct outq_seg *head, *tail;
};

/* Pieces up to this are copied while the queue can't be written. */
#define OUTQ_COPY_MAX ((size_t)8 * 1024)

/* A reference on chunk is taken. */
void outq_add(struct outq *q, struct loop *loop, const uint8_t *data, size_t n, struct chunk *chunk);
/* Copied to the loop's own chunk: for bytes that leave in this turn. */
void outq_add_copy(struct outq *q, struct loop *loop, const uint8_t *data, size_t n);
/* Copied to memory of the queue's own: for bytes that wait.  false: no memory, nothing was added. */
bool outq_add_own(struct outq *q, struct loop *loop, const uint8_t *data, size_t n) FX_MUST_USE;
/* Drops the first n bytes, which must exist. */
void outq_consume(struct outq *q, struct loop *loop, size_t n);
/* Appends all bytes to buf; the queue stays as it is.  -1: no room there. */
int outq_save(const struct outq *q, struct buf *to) FX_MUST_USE;
void outq_drop(struct outq *q, struct loop *loop);
/* Copies small slices of chunks, to let go of these. */
void outq_compact(struct outq *q, struct loop *loop);
/* Fills at most max vectors with the front; returns how many. */
int outq_vectors(const struct outq *q, struct iovec *vec, int max);
/* Segments, and memory of their own. */
void outq_weigh(const struct outq *q, struct weight *to);
/* The loop's spare segments. */
void outq_weigh_spares(const struct loop *loop, struct weight *to);
/* Frees them. */
void outq_free_spares(struct loop *loop);

#endif
