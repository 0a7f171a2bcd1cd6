/*
 * uring.c - one loop's io_uring.
 *
 * See uring.h.
 */
#include "net/uring.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define URING_TRIES 40

/* SUBMIT_ALL: one bad entry does not hold up those behind it.  DEFER_TASKRUN (Linux 6.1): completions are made when we
 * ask for them, all at once, and no thread is ever interrupted for one. */
#define URING_FLAGS                                                                                                    \
	(IORING_SETUP_SUBMIT_ALL | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_R_DISABLED | \
	 IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP)

static int uring_fail(char *error, size_t size, const char *what, int err)
{
	snprintf(error, size, "%s: %s%s", what, strerrordesc_np(err),
		 err == EINVAL	? " (it needs Linux 6.1 or later)"
		 : err == EPERM ? " (kernel.io_uring_disabled, or the container forbids it)"
		 : err == ENOMEM ? " (the limit of locked memory: ulimit -l)"
				 : "");
	errno = err;
	return -1;
}

static int uring_make(struct uring *u, struct chunk_pool *pool, const char **what)
{
	struct io_uring_params params = {.flags = URING_FLAGS, .cq_entries = URING_EVENTS};
	int rc;

	*what = "io_uring_setup";
	rc = io_uring_queue_init_params(URING_ENTRIES, &u->ring, &params);
	if (rc < 0)
		return rc;
	*what = "io_uring: registering buffers";
	rc = bufring_init(&u->buffers, &u->ring, pool);
	if (rc < 0)
		io_uring_queue_exit(&u->ring);
	return rc;
}

/* The kernel gives back what a ring had locked some time after it was closed, and a page may be on the move just when it is
 * to be pinned. */
static bool uring_may_pass(int err)
{
	return err == ENOMEM || err == EAGAIN || err == EINTR || err == EFAULT;
}

int uring_init(struct uring *u, struct chunk_pool *pool, char *error, size_t size)
{
	static const struct timespec pause = {.tv_nsec = 5 * 1000 * 1000};
	const char *what;
	int rc;

	u->is_open = u->is_begun = false;
	u->vectors = u->messages = 0;
	rc = uring_make(u, pool, &what);
	for (int tries = 0; rc < 0 && uring_may_pass(-rc) && tries < URING_TRIES; tries++) {
		(void)nanosleep(&pause, NULL);
		rc = uring_make(u, pool, &what);
	}
	if (rc < 0)
		return uring_fail(error, size, what, -rc);
	u->is_open = true;
	return 0;
}

void uring_begin(struct uring *u)
{
	/* io_uring_enable_rings is declared by liburing 2.3, but not in it */
	int rc = io_uring_register((unsigned)u->ring.ring_fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0);

	CHECK(rc == 0);
	u->is_begun = true;
	/* saves the look-up of the ring's own descriptor; it works without */
	(void)io_uring_register_ring_fd(&u->ring);
}

void uring_end(struct uring *u)
{
	if (!u->is_open)
		return;
	io_uring_queue_exit(&u->ring);
	bufring_fini(&u->buffers);
	u->is_open = u->is_begun = false;
}

/* what the entries pointed to has been read by the kernel */
static void uring_submitted(struct uring *u)
{
	u->vectors = u->messages = 0;
}

static bool uring_is_for_later(int rc)
{
	/* no memory for a request, or completions have overflowed: both pass when completions have been taken */
	return rc == -EAGAIN || rc == -EBUSY || rc == -EINTR;
}

void uring_submit(struct uring *u)
{
	CHECK(u->is_begun);
	for (int tries = 0; io_uring_sq_ready(&u->ring) > 0; tries++) {
		int rc = io_uring_submit(&u->ring);

		CHECK(rc >= 0 || (uring_is_for_later(rc) && tries < 10000));
		if (rc < 0)
			(void)io_uring_get_events(&u->ring);
	}
	uring_submitted(u);
}

void uring_submit_and_fetch(struct uring *u)
{
	int rc;

	CHECK(u->is_begun);
	rc = io_uring_submit_and_get_events(&u->ring);
	CHECK(rc >= 0 || uring_is_for_later(rc));
	if (io_uring_sq_ready(&u->ring) > 0)
		uring_submit(u);
	uring_submitted(u);
}

bool uring_submit_and_wait(struct uring *u, uint64_t us)
{
	struct __kernel_timespec ts = {.tv_sec = (int64_t)(us / 1000000), .tv_nsec = (int64_t)(us % 1000000) * 1000};
	struct io_uring_cqe *cqe;
	int rc;

	CHECK(u->is_begun);
	rc = io_uring_submit_and_wait_timeout(&u->ring, &cqe, 1, us != UINT64_MAX ? &ts : NULL, NULL);
	CHECK(rc >= 0 || rc == -ETIME || uring_is_for_later(rc));
	if (io_uring_sq_ready(&u->ring) > 0)
		uring_submit(u);
	uring_submitted(u);
	return rc != -ETIME;
}

struct io_uring_sqe *uring_entry(struct uring *u)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&u->ring);

	if (sqe == NULL) {
		uring_submit(u);
		sqe = io_uring_get_sqe(&u->ring);
		CHECK(sqe != NULL);
	}
	return sqe;
}

struct iovec *uring_vectors(struct uring *u, int max)
{
	CHECK(max <= URING_VECTORS);
	if (u->messages == URING_MESSAGES || URING_VECTORS - u->vectors < (unsigned)max ||
	    io_uring_sq_space_left(&u->ring) == 0)
		uring_submit(u);
	return u->vector + u->vectors;
}

void uring_send(struct uring *u, int fd, struct iovec *vec, int n, bool tells_all, uint64_t user_data)
{
	/* DONTWAIT: what does not fit now is told now.  WAITALL: less than all is a failure, so success needs no word. */
	const int flags = MSG_NOSIGNAL | MSG_DONTWAIT | (tells_all ? 0 : MSG_WAITALL);
	struct io_uring_sqe *sqe = io_uring_get_sqe(&u->ring);

	CHECK(sqe != NULL && vec == u->vector + u->vectors);
	if (n == 1) {
		io_uring_prep_send(sqe, fd, vec->iov_base, vec->iov_len, flags);
	} else {
		struct msghdr *msg = &u->message[u->messages++];

		u->vectors += (unsigned)n;
		*msg = (struct msghdr){.msg_iov = vec, .msg_iovlen = (size_t)n};
		io_uring_prep_sendmsg(sqe, fd, msg, (unsigned)flags);
	}
	if (!tells_all)
		io_uring_sqe_set_flags(sqe, IOSQE_CQE_SKIP_SUCCESS);
	io_uring_sqe_set_data64(sqe, user_data);
}

void uring_cancel(struct uring *u, uint64_t user_data)
{
	struct io_uring_sqe *sqe = uring_entry(u);

	io_uring_prep_cancel64(sqe, user_data, 0);
	io_uring_sqe_set_flags(sqe, IOSQE_CQE_SKIP_SUCCESS);
	io_uring_sqe_set_data64(sqe, 0);
}
