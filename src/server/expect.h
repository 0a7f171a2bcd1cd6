/*
 * expect.h - the expectation queue of one server connection.
 *
 * PostgreSQL "Message Flow": every message sent that owes replies is an entry
 * (what kind, whose: the client's or ours), in the order sent; replies consume
 * them.  After an error in an extended-query batch everything up to the next
 * Sync is skipped by the server and dropped here; Flush ends nothing; Sync
 * during copy-in is ignored by the server and is not an entry.
 *
 * Used on the server's worker only.  Memory: one byte an entry.
 */
#ifndef SERVER_EXPECT_H
#define SERVER_EXPECT_H

#include "base/check.h"

enum expect_kind {
	EXPECT_NONE, /* owes nothing (CopyData, Flush, Terminate) */
	EXPECT_QUERY,
	EXPECT_PARSE,
	EXPECT_BIND,
	EXPECT_CLOSE,
	EXPECT_DESCRIBE,
	EXPECT_EXECUTE,
	EXPECT_SYNC,
	EXPECT_FUNCTION,
	EXPECT_COPY_END, /* CopyDone or CopyFail: a mark, owes nothing by itself */
};

/* flags of an entry */
#define EXPECT_OURS 0x80   /* its replies are not for the client */
#define EXPECT_NOTED 0x40  /* the server's statements hear how it ended (on_op) */
#define EXPECT_TOLD 0x20   /* the rider's statements hear how it ended (on_op) */
#define EXPECT_PARSED 0x10 /* a Close in place of a Parse: the client is told ParseComplete */
#define EXPECT_KIND 0x0f

#define EXPECT_INLINE 16
#define EXPECT_HIGH 16384 /* more entries than this: stop reading the client */
#define EXPECT_LOW 8192

enum expect_outcome {
	EXPECT_DONE,
	EXPECT_FAILED,	/* the server answered it with an error */
	EXPECT_SKIPPED, /* an earlier one failed, or the connection is gone */
};

struct expect {
	uint8_t *ring;
	uint32_t head, count, cap; /* cap is a power of two */
	uint8_t here[EXPECT_INLINE];
	uint32_t batch;	   /* what an error makes the server skip has one number: counts Sync, Query, FunctionCall */
	bool had_error;	   /* the Query, Sync or FunctionCall at the front has failed; its ReadyForQuery still comes */
	/* An entry with EXPECT_NOTED or EXPECT_TOLD has ended.  Must not call back. */
	void (*on_op)(struct expect *e, uint8_t flags, enum expect_outcome outcome);
	bool in_batch;	   /* extended messages were sent and no Sync (or Query) since */
	bool is_skipping;  /* the server ignores everything until a Sync that was not sent yet */
	bool in_copy;	   /* the server waits for CopyData */
	bool has_odd_sync; /* a Sync (or what has no place there) was sent during copy-in: it may or may not count */
	bool is_ambiguous; /* ... and an error came: only the end of the connection is safe */
};

enum expect_verdict {
	EXPECT_FORWARD, /* belongs to the client's request */
	EXPECT_SWALLOW, /* belongs to a message of ours */
	EXPECT_REPLACE, /* CloseComplete that is ParseComplete for the client */
	EXPECT_STRAY,	/* asynchronous and nothing is owed: N, A, S */
	EXPECT_FATAL,	/* an error and nothing is owed: the server says farewell */
	EXPECT_DESYNC,	/* can't be: close both sides */
};

void expect_init(struct expect *e);
void expect_fini(struct expect *e);
/* A message of this type was sent.  -1: no memory. */
int expect_request(struct expect *e, uint8_t type, bool ours) FX_MUST_USE;
/* The same with flags.  1: it is an entry now; 0: the server ignores it (nothing will be told); -1: no memory. */
int expect_request_noted(struct expect *e, uint8_t type, uint8_t flags) FX_MUST_USE;
/* A message of this type arrived; for ReadyForQuery the entry is gone afterwards. */
enum expect_verdict expect_reply(struct expect *e, uint8_t type);
/* Is no reply owed and nothing half done? */
bool expect_is_quiet(const struct expect *e);
/* Is what the server works on now a message of ours, and no part of the client's request? */
bool expect_is_ours(const struct expect *e);
/* ReadyForQuery messages still owed to the client; counts no further than 2. */
unsigned expect_ready_owed(const struct expect *e);
/* May a cancel of ours hit what runs?  Only when nothing comes behind it: a cancelled BEGIN would let the rest of a
 * pipeline run, and commit, outside of the transaction it belongs to. */
bool expect_may_cancel(const struct expect *e);
enum expect_kind expect_kind_of(uint8_t type);
/* Is what is owed one whole request: a batch and its Sync, or one Query or FunctionCall?  After a Query in the middle
 * of a batch nobody could tell whose ReadyForQuery comes. */
bool expect_is_one_request(const struct expect *e);

#endif
