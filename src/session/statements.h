/*
 * statements.h - the prepared statements of one client: its names, and what they stand for.
 *
 * What a name stands for changes when PostgreSQL has done what was asked (a Parse
 * that fails leaves nothing behind, a Close that is skipped closes nothing), so
 * what was sent and not answered is a list in the order sent; the expectation
 * queue tells how each ended (EXPECT_TOLD).
 *
 * The client's worker.  Made when a client first names a statement; memory is
 * counted by the process-wide store (server/stmt.h) and bounded there.
 */
#ifndef SESSION_STATEMENTS_H
#define SESSION_STATEMENTS_H

#include "base/buf.h"
#include "base/hash.h"
#include "server/expect.h"
#include "server/stmt.h"

#define STATEMENTS_ORIGIN_MAX ((size_t)64 * 1024)

struct statements_name {
	struct stmt *now;  /* when all that was sent is answered well; NULL: nothing.  A reference */
	struct stmt *sure; /* what PostgreSQL has said.  A reference */
	struct stmt_id was; /* the last one, for error texts */
	uint32_t serial;    /* not 0 */
	uint64_t shape; /* of the rows, as the client was told last (server/rowshape.h) */
	uint32_t pending;
	uint32_t describing; /* of them Describe */
	uint32_t first_use;  /* record_no of the first Bind since it was parsed; 0: there was none */
	uint32_t batch; /* of the last operation that was sent */
	size_t len;
	char text[];
};

struct doomed;
struct statements_op;

struct statements {
	struct stmt_store *store;
	struct hash_map names; /* struct statements_name */
	struct statements_op *ops; /* a ring */
	uint32_t op_head, op_count, op_cap;
	uint32_t serials;
	char *failed; /* the name in the message that failed last, for the text of its error; NULL: none */
	struct doomed *doomed; /* portals that end a name when they are executed; NULL: none */
	struct stmt *unnamed; /* the unnamed statement, where it may be needed again; NULL: not */
	struct stmt *former;  /* what unnamed was when origin began, and whether that is here */
	bool has_former, was_aliased;
	bool is_unnamed_new;  /* and its Parse may not be answered yet: */
	uint32_t unnamed_at;  /* the number of that (expect->pushed) */
	struct statements_name *bound; /* by the last Bind whose portal may be described; NULL: none */
	uint64_t bound_portal;
	uint32_t bound_batch;
	struct statements_name *described; /* what the rows of this one look like is yet to be told; NULL: nothing */
	struct stmt_id fresh; /* prepared anew because its rows were not those that the client was told of */
	bool has_fresh;
	bool has_ghosts;      /* names that stand for nothing any more */
	bool is_aliased;      /* and servers have it under its name of ours: Bind and Describe go there */
	struct buf part;   /* body of a message that came in pieces and must be seen whole; its bytes are charged */
	struct buf origin; /* the client's own bytes of the request so far, while it may have to be said anew */
	uint32_t record_no;	   /* of origin; not 0 */
	uint32_t unnamed_use;	   /* as first_use, and a Describe counts as well */
	uint32_t binds, describes; /* in origin */
	uint32_t old_binds;	   /* of binds: the client knows, or has used, the rows from before */
	struct buf held; /* ParameterDescription that the client was not given yet: the rest of what was asked may fail */
	uint32_t told;	 /* ParseComplete that the client was given, and nothing else of origin was answered */
	uint32_t untold; /* origin is said anew: of so many Parse the client must not hear any more */
	bool is_recording; /* origin is being written */
	bool is_whole;	   /* and has all of the request */
	bool is_retrying;  /* the request failed for a reason that the client need not see */
	uint8_t retries;   /* of this request, for such reasons */
};

struct statements *statements_new(struct stmt_store *store); /* NULL: no memory */
void statements_free(struct statements *st);
/* Names that stand for something. */
unsigned statements_count(const struct statements *st);
/* A name that stands for something, or did when something not answered yet began; NULL: none. */
struct statements_name *statements_find(const struct statements *st, const char *name, size_t n);
/* Before the message is noted with EXPECT_TOLD: name stands for stmt from now on (a reference is taken over), or for
 * nothing (NULL).  On an error the reference is given up and nothing has changed. */
enum stmt_answer statements_set(struct statements *st, const char *name, size_t n, struct stmt *stmt, uint32_t batch)
	FX_MUST_USE;
/* The same order of things, for a message that changes nothing: a Parse of a name that is taken, or one of ours (NULL). */
enum stmt_answer statements_clash(struct statements *st, struct statements_name *name, uint32_t batch) FX_MUST_USE;
/* The same for a Describe. */
enum stmt_answer statements_describe(struct statements *st, struct statements_name *name) FX_MUST_USE;
/* The rows of what was described last. */
void statements_tell_shape(struct statements *st, uint64_t shape);
/* How the oldest operation ended. */
void statements_ended(struct statements *st, enum expect_outcome outcome);
/* The server is gone, or the request is begun anew: nothing of what was not answered has happened. */
void statements_undo(struct statements *st);
/* DEALLOCATE ALL or DISCARD ALL was done.  The names are known for error texts until statements_tidy. */
void statements_forget_all(struct statements *st);
/* Everything is answered. */
void statements_tidy(struct statements *st);
/* The client's name of that serial, else (0) one for that statement; NULL: none.  A walk over all: for
 * error texts only. */
const char *statements_name_of(const struct statements *st, struct stmt_id id, uint32_t serial);

static inline bool statements_is_uncertain(const struct statements_name *name, uint32_t batch)
{
	return name->pending > name->describing && name->batch != batch;
}

#endif
