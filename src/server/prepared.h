/*
 * prepared.h - which statements one server connection has.
 *
 * The entries are what we believe is prepared there once all that was sent has
 * been answered; what was sent and not answered is a list of operations in the
 * order sent (the expectation queue tells how each ended, EXPECT_NOTED).  An
 * operation that was skipped or failed counts for nothing.  Least recently used
 * first out; finding, adding and dropping take constant time.
 *
 * Used on the server's worker only.
 */
#ifndef SERVER_PREPARED_H
#define SERVER_PREPARED_H

#include "base/dlist.h"
#include "server/expect.h"
#include "server/stmt.h"

struct prepared_op;
struct weight;

struct prepared_entry {
	struct prepared_entry *next; /* of its slot */
	struct dlist lru;	     /* of prepared->lru when it is wanted, oldest first */
	struct stmt_id id;
	uint32_t pending;  /* operations not answered yet */
	uint32_t changing; /* of them Parse and Close */
	uint32_t describing; /* of them Describe of the statement or a portal of it */
	uint32_t changes;  /* stmt_store_changes when it was parsed */
	uint64_t shape;	   /* of its rows, see rowshape.h; PostgreSQL keeps to it while the statement lives */
	uint32_t batch;	   /* of the last Parse or Close that was sent */
	bool is_there;	   /* PostgreSQL has said so */
	bool is_wanted;	   /* will be there when all is answered well */
	bool is_stale;	   /* its plan can't be used any more: Close it before the next use */
};

enum prepared_kind { PREPARED_PARSE, PREPARED_CLOSE, PREPARED_USE, PREPARED_DESCRIBE };

struct prepared {
	struct prepared_entry **slot;
	uint32_t slots; /* a power of two, 0 before the first */
	uint32_t entries;
	uint32_t count; /* of them wanted */
	struct dlist lru;
	struct prepared_op *ops; /* a ring */
	uint32_t op_head, op_count, op_cap;
	uint64_t *seen;	       /* unnamed statements that passed by lately; NULL: none was looked at */
	struct stmt_id failed; /* what the message used that failed last */
	uint32_t failed_user;  /* and what prepared_use was told */
	bool has_failed;
	bool has_described;	  /* a Describe was answered; the shape of this one is yet to be told */
	struct stmt_id described;
};

void prepared_init(struct prepared *p);
void prepared_fini(struct prepared *p);
/* Its entries and what finds them. */
void prepared_weigh(const struct prepared *p, struct weight *to);
/* A statement that will be there; NULL: none. */
struct prepared_entry *prepared_find(const struct prepared *p, struct stmt_id id);
/* Makes it the most recently used. */
void prepared_touch(struct prepared *p, struct prepared_entry *entry);
/* The one to give up first; NULL: none is there. */
struct prepared_entry *prepared_oldest(const struct prepared *p);

/* Call these before the message is noted in the expectation queue with EXPECT_NOTED.  -1: no memory, nothing has changed. */
int prepared_add(struct prepared *p, struct stmt_id id, uint32_t batch) FX_MUST_USE; /* Parse */
int prepared_drop(struct prepared *p, struct prepared_entry *entry, uint32_t batch) FX_MUST_USE; /* Close */
/* Bind, Describe; user: of no meaning here, comes back in failed_user */
int prepared_use(struct prepared *p, struct prepared_entry *entry, uint32_t user) FX_MUST_USE;
int prepared_describe(struct prepared *p, struct prepared_entry *entry, uint32_t user) FX_MUST_USE;
/* How the oldest of them ended. */
void prepared_ended(struct prepared *p, enum expect_outcome outcome);
/* The rows of what has_described. */
void prepared_tell_shape(struct prepared *p, uint64_t shape);
/* Will its shape be known when all that was sent is answered? */
static inline bool prepared_awaits_shape(const struct prepared *p, const struct prepared_entry *entry)
{
	return entry->describing > 0 || (p->has_described && stmt_id_is_equal(p->described, entry->id));
}
/* What the message used that failed last: it is not there at all (gone), or must be closed before it is used again. */
void prepared_spoil(struct prepared *p, bool gone);
/* Has this text passed by lately?  It has now. */
bool prepared_was_seen(struct prepared *p, struct stmt_id id);
/* DEALLOCATE ALL or DISCARD ALL has been done: nothing is there. */
void prepared_forget_all(struct prepared *p);

/* Sent in an earlier batch and not answered: whether it is there can't be told before that. */
static inline bool prepared_is_uncertain(const struct prepared_entry *entry, uint32_t batch)
{
	return entry->changing > 0 && entry->batch != batch;
}

#endif
