/*
 * bufring.c - receive buffers lent to the kernel.
 *
 * See bufring.h.  Chunks go round: the ring, a conn's callback, an out-queue, the
 * free list, the ring.  In the steady state nothing is allocated.
 */
#include "net/bufring.h"

#include "base/mem.h"

#include <string.h>
#include <unistd.h>

int bufring_init(struct bufring *b, struct io_uring *ring, struct chunk_pool *pool)
{
	struct io_uring_buf_reg reg = {.ring_entries = BUFRING_MAX, .bgid = BUFRING_GROUP};
	int rc;

	memset(b, 0, sizeof(*b));
	/* pages of its own: the kernel wants it so */
	b->ring = mem_aligned_zalloc((size_t)sysconf(_SC_PAGESIZE), BUFRING_MAX * sizeof(struct io_uring_buf));
	reg.ring_addr = (uintptr_t)b->ring;
	rc = io_uring_register_buf_ring(ring, &reg, 0);
	if (rc < 0) {
		mem_free(b->ring);
		b->ring = NULL;
		return rc;
	}
	io_uring_buf_ring_init(b->ring);
	b->chunks = pool;
	while (b->empties < BUFRING_MAX) {
		b->empty[b->empties] = (uint16_t)(BUFRING_MAX - 1 - b->empties);
		b->empties++;
	}
	b->goal = BUFRING_FIRST;
	bufring_fill(b);
	return 0;
}

void bufring_fini(struct bufring *b)
{
	if (b->ring == NULL)
		return;
	for (unsigned i = 0; i < BUFRING_MAX; i++)
		if (b->chunk[i] != NULL)
			chunk_unref(b->chunk[i]);
	mem_free(b->ring);
	b->ring = NULL;
}

struct chunk *bufring_take(struct bufring *b, unsigned number)
{
	struct chunk *chunk;

	CHECK(number < BUFRING_MAX && b->chunk[number] != NULL);
	chunk = b->chunk[number];
	b->chunk[number] = NULL;
	b->empty[b->empties++] = (uint16_t)number;
	return chunk;
}

void bufring_fill(struct bufring *b)
{
	int added = 0;

	while (BUFRING_MAX - b->empties < b->goal) {
		uint16_t number = b->empty[--b->empties];
		struct chunk *chunk = chunk_new(b->chunks);

		b->chunk[number] = chunk;
		io_uring_buf_ring_add(b->ring, chunk->data, BUFRING_SIZE, number, BUFRING_MAX - 1, added++);
	}
	if (added > 0)
		io_uring_buf_ring_advance(b->ring, added);
}

void bufring_grow(struct bufring *b)
{
	b->goal = b->goal < BUFRING_MAX / 2 ? b->goal * 2 : BUFRING_MAX;
}
