/*
 * outq.c - bytes that wait to be written.
 *
 * Called by conn.c on the loop's thread.
 */
#include "net/outq.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/weight.h"
#include "net/loop.h"

#include <string.h>
#include <sys/uio.h>

#define OUTQ_SPARES 1024
#define OUTQ_OWN_FIRST ((size_t)1024)
#define OUTQ_OWN_MORE ((size_t)16 * 1024)

struct outq_seg {
	struct outq_seg *next;
	struct chunk *chunk; /* NULL: the bytes lie in own */
	uint8_t *own;
	size_t own_size;
	const uint8_t *data;
	size_t len;
};

static struct outq_seg *outq_seg_new(struct loop *loop)
{
	struct outq_seg *seg = loop->free_segs;

	if (seg == NULL)
		return mem_alloc(sizeof(*seg));
	loop->free_segs = seg->next;
	loop->free_seg_count--;
	return seg;
}

static void outq_seg_free(struct loop *loop, struct outq_seg *seg)
{
	if (seg->chunk != NULL)
		chunk_unref(seg->chunk);
	else
		mem_free(seg->own);
	if (loop->free_seg_count >= OUTQ_SPARES) {
		mem_free(seg);
		return;
	}
	seg->next = loop->free_segs;
	loop->free_segs = seg;
	loop->free_seg_count++;
}

void outq_free_spares(struct loop *loop)
{
	while (loop->free_segs != NULL) {
		struct outq_seg *seg = loop->free_segs;

		loop->free_segs = seg->next;
		mem_free(seg);
	}
	loop->free_seg_count = 0;
}

static void outq_link(struct outq *q, struct outq_seg *seg)
{
	seg->next = NULL;
	if (q->tail != NULL)
		q->tail->next = seg;
	else
		q->head = seg;
	q->tail = seg;
}

void outq_add(struct outq *q, struct loop *loop, const uint8_t *data, size_t n, struct chunk *chunk)
{
	struct outq_seg *tail = q->tail;

	if (tail != NULL && tail->chunk == chunk && tail->data + tail->len == data) {
		tail->len += n;
		return;
	}
	tail = outq_seg_new(loop);
	*tail = (struct outq_seg){.chunk = chunk, .data = data, .len = n};
	chunk_ref(chunk);
	outq_link(q, tail);
}

void outq_add_copy(struct outq *q, struct loop *loop, const uint8_t *data, size_t n)
{
	while (n > 0) {
		size_t fit;

		if (loop->tx != NULL && loop->tx_pos == CHUNK_SIZE) {
			chunk_unref(loop->tx);
			loop->tx = NULL;
		}
		if (loop->tx == NULL) {
			loop->tx = chunk_new(&loop->chunks);
			loop->tx_pos = 0;
		}
		fit = CHUNK_SIZE - loop->tx_pos;
		if (fit > n)
			fit = n;
		memcpy(loop->tx->data + loop->tx_pos, data, fit);
		outq_add(q, loop, loop->tx->data + loop->tx_pos, fit, loop->tx);
		loop->tx_pos += fit;
		data += fit;
		n -= fit;
	}
}

bool outq_add_own(struct outq *q, struct loop *loop, const uint8_t *data, size_t n)
{
	struct outq_seg *tail = q->tail;
	size_t size, used;
	uint8_t *own;

	if (tail != NULL && tail->own != NULL) {
		used = (size_t)(tail->data - tail->own) + tail->len;
		if (n <= tail->own_size - used) {
			memcpy(tail->own + used, data, n);
			tail->len += n;
			return true;
		}
	}
	size = tail != NULL && tail->own != NULL ? OUTQ_OWN_MORE : OUTQ_OWN_FIRST;
	if (size < n)
		size = n;
	own = mem_try_alloc(size);
	if (own == NULL)
		return false;
	memcpy(own, data, n);
	tail = outq_seg_new(loop);
	*tail = (struct outq_seg){.own = own, .own_size = size, .data = own, .len = n};
	outq_link(q, tail);
	return true;
}

void outq_consume(struct outq *q, struct loop *loop, size_t n)
{
	while (n > 0) {
		struct outq_seg *seg = q->head;

		CHECK(seg != NULL);
		if (n < seg->len) {
			seg->data += n;
			seg->len -= n;
			return;
		}
		n -= seg->len;
		q->head = seg->next;
		if (q->head == NULL)
			q->tail = NULL;
		outq_seg_free(loop, seg);
	}
}

int outq_save(const struct outq *q, struct buf *to)
{
	size_t before = to->len;

	for (const struct outq_seg *seg = q->head; seg != NULL; seg = seg->next) {
		if (buf_append(to, seg->data, seg->len) < 0) {
			to->len = before;
			return -1;
		}
	}
	return 0;
}

void outq_drop(struct outq *q, struct loop *loop)
{
	while (q->head != NULL) {
		struct outq_seg *seg = q->head;

		q->head = seg->next;
		outq_seg_free(loop, seg);
	}
	q->tail = NULL;
}

void outq_compact(struct outq *q, struct loop *loop)
{
	struct outq_seg *seg = q->head, *next;

	*q = (struct outq){.head = NULL};
	for (; seg != NULL; seg = next) {
		next = seg->next;
		if (seg->chunk != NULL && seg->len <= OUTQ_COPY_MAX && outq_add_own(q, loop, seg->data, seg->len))
			outq_seg_free(loop, seg);
		else
			outq_link(q, seg);
	}
}

int outq_vectors(const struct outq *q, struct iovec *vec, int max)
{
	int n = 0;

	for (const struct outq_seg *seg = q->head; seg != NULL && n < max; seg = seg->next, n++) {
		/* writing never changes the bytes, but struct iovec has no const */
		union {
			const uint8_t *from;
			void *to;
		} base = {.from = seg->data};

		vec[n] = (struct iovec){.iov_base = base.to, .iov_len = seg->len};
	}
	return n;
}

void outq_weigh(const struct outq *q, struct weight *to)
{
	for (const struct outq_seg *seg = q->head; seg != NULL; seg = seg->next) {
		weight_object(to, WEIGHT_QUEUED, seg);
		weight_block(to, WEIGHT_QUEUED, seg->own);
	}
}

void outq_weigh_spares(const struct loop *loop, struct weight *to)
{
	for (const struct outq_seg *seg = loop->free_segs; seg != NULL; seg = seg->next)
		weight_object(to, WEIGHT_SPARES, seg);
}
