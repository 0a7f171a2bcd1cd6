/*
 * conn.h - one connection: an fd with its transport, its out-queue and its callbacks.
 *
 * One thread: the loop's.  The struct is embedded in its owner (client, server,
 * cancel request), who frees it through loop_defer_free.  Callbacks come from the
 * loop only, never from inside a conn_* call.  Inside one the owner may do
 * anything: close, close and connect again, detach.  After conn_close no callback
 * comes any more.
 */
#ifndef NET_CONN_H
#define NET_CONN_H

#include "base/dlist.h"
#include "base/secret.h"
#include "net/addr.h"
#include "net/chunk.h"
#include "net/kept.h"
#include "net/outq.h"

struct buf;
struct conn;
struct loop;
struct tls;

enum conn_end {
	CONN_END_EOF,	  /* the peer closed its side */
	CONN_END_RESET,	  /* error while reading or writing; err is an errno */
	CONN_END_CONNECT, /* could not connect; err is an errno */
	CONN_END_TLS,	  /* see tls_error */
};

struct conn_ops {
	/* Bytes arrived; data lies in chunk and is lent until return (take a reference on chunk to
	 * keep it longer).  Returns how many bytes were used; fewer than n only when conn_pause was
	 * called inside: the rest is kept and comes again after conn_resume. */
	size_t (*on_bytes)(struct conn *c, struct chunk *chunk, const uint8_t *data, size_t n);
	/* The out-queue was above CONN_HIGH and is now below CONN_LOW, or empty after conn_notify_empty. */
	void (*on_drained)(struct conn *c);
	/* Once, and the last but on_drained.  The owner closes the conn, at once or when what it still
	 * has to say is written (a peer that ended its side may read on).  On a paused conn with a
	 * keep_limit the end overtakes the kept bytes; with keep_limit 0 it waits for conn_resume. */
	void (*on_closed)(struct conn *c, enum conn_end end, int err);
	void (*on_connected)(struct conn *c); /* NULL for accepted ones */
	void (*on_secured)(struct conn *c);   /* what tls_start has begun is done; NULL where that is never called */
};

/* Out-queue marks in bytes. */
#define CONN_HIGH ((size_t)256 * 1024)
#define CONN_LOW ((size_t)64 * 1024)

/* Room for the engine's own record. */
#define CONN_ENGINE_SIZE 56

struct conn {
	struct loop *loop;
	const struct conn_ops *ops;
	struct outq out; /* with tls: of plain text */
	struct tls *tls; /* NULL: in the clear */
	struct kept kept; /* bytes that arrived while paused */
	struct dlist dirty; /* on loop->dirty when there is something to do at the end of the turn */
	size_t out_bytes; /* still to be written, of ciphertext where it is made already */
	size_t flying; /* of these, at the front: given to the engine, which has not told yet what it could write */
	uint64_t written; /* bytes that the engine has taken from the queue, ever */
	uint32_t keep_limit;
	int fd;
	int end_err;
	uint8_t end_kind; /* enum conn_end, with must_end */
	bool is_dialled : 1;	/* conn_connect made it: its events come first in a turn, so that nobody is given a dead server */
	bool is_open : 1;	/* attached to its loop */
	bool is_connecting : 1;
	bool is_paused : 1;	/* the owner wants no bytes */
	bool is_stopped : 1;	/* the engine does not watch for reading */
	bool is_blocked : 1;	/* the engine waits for writability */
	bool is_write_dead : 1; /* writing failed: the queue stays for conn_take_out, reading tells the end */
	bool is_above_high : 1;
	bool wants_empty : 1;
	bool was_paused : 1; /* since the last on_bytes began */
	bool must_end : 1;   /* an end to be reported at the end of the turn */
	bool has_ended : 1;  /* it was reported; nothing is read any more */
	bool has_engine_fd : 1;
	bool wants_shutdown : 1; /* conn_shutdown was called */
	bool is_shut : 1;	 /* and done */
	bool is_securing : 1;	 /* the TLS handshake goes on */
	bool is_late : 1;	 /* ... and waits for a later turn (tlslate.h): nothing is read */
	bool is_private : 1;	 /* the owner's wish: bytes may be a password, and none that it has not used stays where it was read */
	_Alignas(8) uint8_t engine[CONN_ENGINE_SIZE];
};

/* Takes fd (non-blocking, close-on-exec) and starts reading.  -1: the engine cannot take it; fd is closed. */
int conn_open(struct conn *c, struct loop *loop, int fd, const struct conn_ops *ops) FX_MUST_USE;
/* Starts connecting; on_connected or on_closed(CONN_END_CONNECT) follows, never from inside this call.
 * path: a Unix socket's path, else NULL and to is used. */
void conn_connect(struct conn *c, struct loop *loop, const struct addr *to, const char *path,
		  const struct conn_ops *ops);
/* Closes the fd, drops both queues.  Harmless on a closed one. */
void conn_close(struct conn *c);
/* Moves an open conn with empty queues off its loop (its thread), and onto another (that one's thread), where it
 * is not paused.  In between it belongs to nobody's loop: no call but conn_attach.  -1: it is closed. */
void conn_detach(struct conn *c);
int conn_attach(struct conn *c, struct loop *loop) FX_MUST_USE;

/* Inside on_bytes: overwrites n bytes that were lent and are used, since they held a password. */
static inline void conn_wipe(const uint8_t *data, size_t n)
{
	secret_wipe((void *)(uintptr_t)data, n);
}
/* Queues bytes that lie in chunk (a reference is taken), or copies them when chunk is NULL.
 * What was queued in one turn of the loop leaves in one system call at its end. */
void conn_send(struct conn *c, const void *data, size_t n, struct chunk *chunk);
/* Tries to write the queue now instead of at the end of the turn. */
void conn_flush(struct conn *c);
/* Queued and not known to be written. */
static inline size_t conn_out_pending(const struct conn *c)
{
	return c->out_bytes;
}
/* Bytes ever queued since the conn was opened, as they go over the wire. */
static inline uint64_t conn_queued(const struct conn *c)
{
	return c->written + c->out_bytes;
}
/* Bytes that may have been written since then.  A request that was queued when conn_queued was m is wholly unwritten
 * as long as conn_written <= m (and conn_take_out gives it whole, when nothing stood before it). */
static inline uint64_t conn_written(const struct conn *c)
{
	return c->written + c->flying;
}
/* Moves the unwritten queue to the end of to (before conn_close; on_closed is the place).  Gives how
 * many bytes; when to has no room for them: 0, to->bad is set and the queue stays. */
size_t conn_take_out(struct conn *c, struct buf *to);
/* Appends it to to, and it stays where it is.  -1: to has no room for it and is bad. */
static inline int conn_copy_out(const struct conn *c, struct buf *to)
{
	return outq_save(&c->out, to);
}
/* Ends our direction once the queue is empty; reading goes on, so that the peer's end can be awaited.
 * conn_send is ignored from now on. */
void conn_shutdown(struct conn *c);
/* on_drained will be called when the queue is empty (from the loop, also when it is empty already). */
void conn_notify_empty(struct conn *c);

/* No on_bytes until conn_resume.  Up to keep_limit bytes are still read and kept, so that the
 * peer's leaving is noticed; 0: reading stops at once (back-pressure). */
void conn_pause(struct conn *c, size_t keep_limit);
/* Kept bytes are delivered from the loop at the end of the turn, then reading goes on. */
void conn_resume(struct conn *c);
/* Puts n bytes before the kept ones of a paused conn: they come first after conn_resume.  -1: no memory, nothing
 * has changed. */
int conn_unread(struct conn *c, const void *p, size_t n) FX_MUST_USE;
/* Is there anything unread that we know of: kept bytes. */
static inline size_t conn_kept_bytes(const struct conn *c)
{
	return c->kept.len;
}
static inline bool conn_has_kept(const struct conn *c)
{
	return c->kept.len > 0;
}

/* For engines only. */
void conn_input(struct conn *c, struct chunk *chunk, uint8_t *data, size_t n); /* n bytes were read to data, in chunk */
void conn_input_end(struct conn *c, enum conn_end end, int err);
void conn_output_done(struct conn *c, size_t n); /* n bytes of the queue were written */
void conn_output_failed(struct conn *c, int err);
void conn_connected(struct conn *c, int err);
bool conn_wants_read(const struct conn *c);
size_t conn_read_max(const struct conn *c); /* how much to read at most (a paused conn keeps little, and so does one in its handshake) */
/* For the loop only: work at the end of a turn. */
void conn_settle(struct conn *c);

/* For tls.c. */
bool conn_take(struct conn *c, size_t n); /* n bytes for the owner at the loop's reading place; false: c is not ours any more */
void conn_end_later(struct conn *c, enum conn_end end);

#endif
