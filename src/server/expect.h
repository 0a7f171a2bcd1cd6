/*
 * expect.h - the expectation queue of one server connection.
 *
 * PostgreSQL "Message Flow": every message sent that owes replies is an entry
 * (what kind, whose: the client's or ours), in the order sent; replies consume
 * them.  After an error in an extended-query batch everything up to the next
 * Sync is skipped by the server and dropped here; Flush ends nothing; a Sync
 * during copy-in is ignored by the server, unless the COPY had failed by then:
 * see struct expect, and doubt.h for how that is found out.
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
	EXPECT_COPY_END, /* CopyDone or CopyFail: owes nothing by itself, is no entry */
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
	uint32_t pushed;   /* entries ever: the number of the next one */
	uint32_t failed_at; /* the number of the entry that the last error was the answer to */
	uint32_t watched, watched_batch; /* of expect_watch: what number pushed and batch had */
	bool is_watching;  /* it may still be skipped */
	bool was_skipped;
	bool had_error;	   /* the Query, Sync or FunctionCall at the front has failed; its ReadyForQuery still comes */
	/* An entry with EXPECT_NOTED or EXPECT_TOLD has ended.  Must not call back. */
	void (*on_op)(struct expect *e, uint8_t flags, enum expect_outcome outcome);
	bool in_batch;	   /* extended messages were sent and no Sync (or Query) since */
	bool is_skipping;  /* the server ignores everything until a Sync that was not sent yet */
	bool is_awake;	   /* ... or rather would have ignored: a Sync of ours has ended that, unknown to the client */
	bool has_flush;	   /* a Flush was sent behind the last message of the batch */
	bool in_copy;	   /* the server waits for CopyData */
	bool has_intruder; /* what has no place in a COPY was sent into it: PostgreSQL will end the connection ... */
	bool is_ambiguous; /* ... or the COPY had failed by then: only the end of the connection is safe */
	uint32_t odd_syncs; /* Syncs sent into the COPY of the front: ignored if it was open when they were read */
	uint32_t doubt;	   /* the same after that COPY has failed: at most so many ReadyForQuery come besides those owed */
};

enum expect_admission {
	EXPECT_SEND,
	EXPECT_WAIT, /* what it would owe can't be told yet; look again after each reply */
	EXPECT_DROP, /* the server would have ignored it: must not be sent */
};

enum expect_verdict {
	EXPECT_FORWARD, /* belongs to the client's request */
	EXPECT_SWALLOW, /* belongs to a message of ours */
	EXPECT_REPLACE, /* the client hears ParseComplete: of a statement that is known, or in place of CloseComplete */
	EXPECT_STRAY,	/* asynchronous and nothing is owed: N, A, S */
	EXPECT_FATAL,	/* an error and nothing is owed: the server says farewell */
	EXPECT_DESYNC,	/* can't be: close both sides */
};

/* The entry with i others in front of it: its kind and flags. */
static inline uint8_t expect_at(const struct expect *e, uint32_t i)
{
	const uint8_t *bytes = e->ring != NULL ? e->ring : e->here;

	return bytes[(e->head + i) & (e->cap - 1)];
}
void expect_init(struct expect *e);
void expect_fini(struct expect *e);
/* May a message of the client's of this type be sent now?  Ask before expect_request. */
enum expect_admission expect_admit_odd(const struct expect *e, uint8_t type);
static inline enum expect_admission expect_admit(const struct expect *e, uint8_t type)
{
	bool is_plain = (e->odd_syncs | e->doubt) == 0 && !e->is_awake && (type < 'c' || type > 'f');

	return FX_LIKELY(is_plain) ? EXPECT_SEND : expect_admit_odd(e, type);
}
/* A message of this type was sent.  -1: no memory. */
int expect_request(struct expect *e, uint8_t type, bool ours) FX_MUST_USE;
/* The same with flags.  1: it is an entry now; 0: the server ignores it (nothing will be told); -1: no memory. */
int expect_request_noted(struct expect *e, uint8_t type, uint8_t flags) FX_MUST_USE;
/* A message of this type arrived; for ReadyForQuery the entry is gone afterwards. */
enum expect_verdict expect_reply(struct expect *e, uint8_t type);
enum expect_fate {
	EXPECT_WELL,	/* it will have been done when the server reads what is sent now, or both are skipped */
	EXPECT_BADLY,
	EXPECT_UNKNOWN, /* it is not answered yet */
};
/* What is sent next is what expect_watched tells of. */
static inline void expect_watch(struct expect *e)
{
	e->watched = e->pushed;
	e->watched_batch = e->batch;
	e->is_watching = true;
	e->was_skipped = false;
}
/* Was it skipped, or has it failed? */
enum expect_fate expect_watched(const struct expect *e);
/* Only a Flush makes the server say what it has to say. */
bool expect_wants_flush(const struct expect *e);
/* Whether more ReadyForQuery come is known only after [Close][Sync] of ours; CloseComplete ends the doubt. */
bool expect_wants_probe(const struct expect *e);
/* The same, and the server may be ignoring everything until a Sync: one of ours is needed first. */
bool expect_wants_rouse(const struct expect *e);
/* Those were sent, that Sync was sent.  -1: no memory. */
int expect_probe(struct expect *e) FX_MUST_USE;
int expect_rouse(struct expect *e) FX_MUST_USE;
/* Is it known how many ReadyForQuery come? */
static inline bool expect_is_sure(const struct expect *e)
{
	return (e->odd_syncs | e->doubt) == 0 && !e->is_ambiguous;
}
/* Is no reply owed and nothing half done? */
bool expect_is_quiet(const struct expect *e);
/* Is what the server works on now a message of ours, and no part of the client's request? */
bool expect_is_ours(const struct expect *e);
enum expect_kind expect_kind_of(uint8_t type);

#endif
