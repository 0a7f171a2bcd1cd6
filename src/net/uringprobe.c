/*
 * uringprobe.c - tries what engine_uring relies on, on a pair of sockets.
 *
 * See uringprobe.h.  Leaves nothing behind.
 */
#include "net/uringprobe.h"

#include "base/mem.h"
#include "net/uring.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define URINGPROBE_MUCH ((size_t)1024 * 1024)
#define URINGPROBE_TAG 8

struct uringprobe {
	struct uring u;
	struct chunk_pool chunks;
	int end[2];
	uint8_t *much;
	int res; /* of the one completion */
	unsigned flags;
};

/* Submits; how many completions there were, the last one's in p. */
static unsigned uringprobe_go(struct uringprobe *p)
{
	struct io_uring_cqe *cqe;
	unsigned n = 0;

	uring_submit_and_fetch(&p->u);
	while (io_uring_peek_cqe(&p->u.ring, &cqe) == 0) {
		p->res = cqe->res;
		p->flags = cqe->flags;
		if (cqe->flags & IORING_CQE_F_BUFFER)
			chunk_unref(bufring_take(&p->u.buffers, cqe->flags >> IORING_CQE_BUFFER_SHIFT));
		n++;
		io_uring_cqe_seen(&p->u.ring, cqe);
	}
	return n;
}

static unsigned uringprobe_send(struct uringprobe *p, size_t n)
{
	struct iovec *vec = uring_vectors(&p->u, 2);

	/* two vectors, for one is another call */
	vec[0] = (struct iovec){.iov_base = p->much, .iov_len = n / 2};
	vec[1] = (struct iovec){.iov_base = p->much, .iov_len = n - n / 2};
	uring_send(&p->u, p->end[0], vec, 2, false, URINGPROBE_TAG);
	return uringprobe_go(p);
}

static unsigned uringprobe_send_one(struct uringprobe *p, size_t n)
{
	struct iovec *vec = uring_vectors(&p->u, 1);

	*vec = (struct iovec){.iov_base = p->much, .iov_len = n};
	uring_send(&p->u, p->end[0], vec, 1, false, URINGPROBE_TAG);
	return uringprobe_go(p);
}

static const char *uringprobe_try(struct uringprobe *p)
{
	struct io_uring_sqe *sqe;

	/* what is written wholly is not told of, and what is not, at once */
	if (uringprobe_send(p, 2) != 0 || uringprobe_send_one(p, 1) != 0)
		return "a send that succeeds is told of";
	if (uringprobe_send_one(p, URINGPROBE_MUCH) != 1 || p->res <= 0 || (size_t)p->res >= URINGPROBE_MUCH)
		return "a send that does not fit is not told of";
	if (uringprobe_send_one(p, URINGPROBE_MUCH) != 1 || p->res != -EAGAIN)
		return "a send that would block is not told of";
	if (uringprobe_send(p, URINGPROBE_MUCH) != 1 || p->res != -EAGAIN)
		return "a send of several pieces that would block is not told of";
	/* one request receives again and again, to buffers that we lend */
	sqe = uring_entry(&p->u);
	io_uring_prep_recv_multishot(sqe, p->end[1], NULL, 0, 0);
	sqe->ioprio |= IORING_RECVSEND_POLL_FIRST;
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = BUFRING_GROUP;
	io_uring_sqe_set_data64(sqe, URINGPROBE_TAG);
	if (uringprobe_go(p) < 2 || !(p->flags & IORING_CQE_F_MORE) || !(p->flags & IORING_CQE_F_BUFFER))
		return "no multishot receive";
	/* and ends when it is told to */
	uring_cancel(&p->u, URINGPROBE_TAG);
	if (uringprobe_go(p) != 1 || p->res != -ECANCELED || (p->flags & IORING_CQE_F_MORE))
		return "a multishot receive can't be cancelled";
	return NULL;
}

int uringprobe_run(char *error, size_t size)
{
	struct uringprobe *p = mem_zalloc(sizeof(*p));
	const char *why;
	int rc = -1;

	chunk_pool_init(&p->chunks, BUFRING_SIZE, 0);
	if (uring_init(&p->u, &p->chunks, error, size) < 0) {
		mem_free(p);
		return -1;
	}
	uring_begin(&p->u);
	p->much = mem_zalloc(URINGPROBE_MUCH);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, p->end) < 0) {
		snprintf(error, size, "socketpair: %s", strerrordesc_np(errno));
	} else {
		why = uringprobe_try(p);
		if (why != NULL)
			snprintf(error, size, "io_uring: %s", why);
		else
			rc = 0;
		close(p->end[0]);
		close(p->end[1]);
	}
	uring_end(&p->u);
	mem_free(p->much);
	mem_free(p);
	return rc;
}
