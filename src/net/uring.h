/*
 * uring.h - one loop's io_uring: what is submitted, and the memory that lives until then.
 *
 * One thread (the loop's), the one that called uring_begin; uring_end may come from
 * another when that one has ended.  Sends are made so that their result is known when
 * the submission returns: the kernel writes what fits and says so at once if that was
 * not all.  So no send is ever under way behind our back.
 */
#ifndef NET_URING_H
#define NET_URING_H

#include "net/bufring.h"

#include <sys/socket.h>
#include <sys/uio.h>

#define URING_ENTRIES 256
#define URING_EVENTS 2048 /* completions that have room */
#define URING_VECTORS 1024
#define URING_MESSAGES 128

struct uring {
	struct io_uring ring;
	struct bufring buffers;
	bool is_open;
	bool is_begun; /* this thread is the ring's */
	unsigned vectors, messages; /* used since the last submission */
	struct iovec vector[URING_VECTORS];
	struct msghdr message[URING_MESSAGES];
};

/* Makes the ring, whose buffers come from pool; any thread, and it is used by none before uring_begin.  0, or -1 with
 * a sentence and errno; tries for a fifth of a second. */
int uring_init(struct uring *u, struct chunk_pool *pool, char *error, size_t size) FX_MUST_USE;
/* From now on the ring is this thread's. */
void uring_begin(struct uring *u);
/* Everything in the kernel has ended, or ends now. */
void uring_end(struct uring *u);
/* An empty entry; what is full is submitted first. */
struct io_uring_sqe *uring_entry(struct uring *u);
/* Submits what there is and does not wait. */
void uring_submit(struct uring *u);
/* The same, and fetches what has happened. */
void uring_submit_and_fetch(struct uring *u);
/* The same, and waits: until something happens, at most so long (microseconds; UINT64_MAX: for ever).  false: the
 * time is over. */
bool uring_submit_and_wait(struct uring *u, uint64_t us) FX_MUST_USE;
/* Room for max vectors; uring_send must be next. */
struct iovec *uring_vectors(struct uring *u, int max);
/* Prepares to send the n vectors that lie there.  When that has been submitted there is a completion only if not all
 * of it could be written: how much could, or -errno.  tells_all: the socket is one that does not know MSG_WAITALL
 * (kernel TLS), and there is a completion in any case. */
void uring_send(struct uring *u, int fd, struct iovec *vec, int n, bool tells_all, uint64_t user_data);
/* Ends what has this user_data; nothing is said of how that went. */
void uring_cancel(struct uring *u, uint64_t user_data);
#endif
