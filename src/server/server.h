/*
 * server.h - one connection to PostgreSQL, from connect to its last byte.
 *
 * One thread: the worker that owns it (ownership moves with server_detach and
 * server_attach).  The owner (pool) learns about its life, the rider (session)
 * about the replies to what it sends; both through callbacks that come from the
 * loop only.  Enforces the expectation queue and the quiet rule: on_quiet comes
 * only when nothing is owed, the last ReadyForQuery said idle, no COPY is open
 * and all that was sent is written.
 */
#ifndef SERVER_SERVER_H
#define SERVER_SERVER_H

#include "base/log.h"
#include "net/loop.h"
#include "net/resolve.h"
#include "server/expect.h"
#include "proto/wire.h"
#include "server/params.h"
#include "server/prepared.h"
#include "server/target.h"

struct server;
struct scram_cache;
struct serverauth;

enum server_state {
#define SERVER_STATE(id, word, from) SERVER_##id,
#include "server/server_state.def"
#undef SERVER_STATE
	SERVER_STATE_COUNT
};

enum server_end {
#define SERVER_END(id, text) SERVER_END_##id,
#include "server/server_end.def"
#undef SERVER_END
	SERVER_END_COUNT
};

/* What the server said, or the system, when a connection could not be had. */
struct server_failure {
	enum server_end end;
	char sqlstate[6];  /* "" when the server said nothing */
	char message[256]; /* one sentence for clients and the log */
};

struct server_owner_ops {
	/* Logged in and idle. */
	void (*on_ready)(struct server *s);
	/* Was never ready and never will be; on_gone follows, maybe at once. */
	void (*on_failed)(struct server *s, const struct server_failure *why);
	/* clean_ping or clean_begin is done well: idle again. */
	void (*on_rested)(struct server *s);
	/* It was ready, and has been lost or is being closed (rider has been told): still counts until on_gone. */
	void (*on_ending)(struct server *s, enum server_end why);
	/* The last byte is gone, PostgreSQL has let go of its slot (or the deadline for that has passed):
	 * the owner frees it. */
	void (*on_gone)(struct server *s);
};

/* What a rider hears of; all are set. */
struct server_rider_ops {
	/* Bytes for the client, whole runs; borrowed until return as in conn.h. */
	void (*on_reply)(struct server *s, struct chunk *chunk, const uint8_t *data, size_t n);
	/* A Parse that was noted, or what was sent in place of one (EXPECT_PARSED), is done: the client is to hear
	 * ParseComplete. */
	void (*on_parsed)(struct server *s);
	/* A ReadyForQuery of the client's request is in the run that follows: status I, T or E. */
	void (*on_ready)(struct server *s, char status);
	/* A ReadyForQuery was among the bytes that have been read, and the server is not quiet. */
	void (*on_settled)(struct server *s);
	/* All is answered and idle: the rider may return the server now (it may do so inside this call). */
	void (*on_quiet)(struct server *s);
	/* The server has reported a parameter in the course of the client's request. */
	void (*on_parameter)(struct server *s, const char *name, const char *value);
	/* How the oldest message of the rider's that was noted with EXPECT_TOLD has ended. */
	void (*on_told)(struct server *s, enum expect_outcome outcome);
	/* A command of the client's is complete whose tag begins with DISCARD, DEALLOCATE, RESET, SET or ALTER. */
	void (*on_tag)(struct server *s, const char *tag);
	/* the client has been told what the rows of a statement look like (EXPECT_TOLD, Describe); see rowshape.h */
	void (*on_shape)(struct server *s, uint64_t shape);
	/* An ErrorResponse, NotificationResponse, ParameterStatus or ParameterDescription for the client.  true: the rider
	 * has said what is to be said, or will. */
	bool (*on_special)(struct server *s, uint8_t type, const uint8_t *body, size_t n);
	/* A message of ours among the client's (server_note_ours) failed. */
	void (*on_ours_failed)(struct server *s, const char *sqlstate, const char *message);
	/* The out-queue or the expectation queue has room again. */
	void (*on_room)(struct server *s);
	/* Lost.  The rider lets go of it.  has_told: its FATAL error is among what was forwarded. */
	void (*on_lost)(struct server *s, enum server_end why, bool has_told);
};

struct server_reader {
	uint8_t hdr[WIRE_HEADER_LEN];
	uint8_t have;  /* bytes of hdr */
	uint8_t type;  /* of the message whose body is being read */
	uint8_t mode;  /* READER_* of that message */
	uint32_t left; /* bytes of its body still to come */
	bool saw_ready;
	bool wants_shape; /* the RowDescription or NoData that has just begun is that of a statement we know */
	struct reader_run *run; /* while bytes are read */
	struct buf whole; /* a message that must be seen whole and came in pieces */
};

struct server {
	struct conn conn;
	struct loop *loop;
	struct loop_grave grave;
	struct target *target;
	const struct target_host *host; /* of target */
	struct resolve_ask resolve;
	uint64_t id; /* of SHOW SERVERS */
	uint8_t state;
	uint8_t clean_step;
	uint8_t end;	 /* enum server_end, once ending */
	char status;	 /* of the last ReadyForQuery */
	bool has_spoken; /* a FATAL error was received */
	bool has_told;	 /* ... and was forwarded to the rider */
	bool is_outdated; /* close when free */
	bool has_many;	 /* reports more parameters than we keep */
	bool is_odd;	 /* something looked odd: ping before the next use */
	bool holds_ready; /* the rider looks at each ReadyForQuery before it is passed on */
	bool hides_ready; /* the next one is not for the client: its request is said anew */
	bool is_throttled; /* the rider has been told to wait for on_room */
	bool wants_reset;  /* server_clean runs the reset query as well */
	bool was_used;
	bool is_loose_stale; /* of loose, only the names are known to be right */
	uint8_t place; /* the owner's: which of its lists */
	bool is_replaced; /* the owner has begun to open its successor */
	bool is_leaving;  /* the owner has claimed it to be closed */
	uint8_t asked_minor, minor; /* of protocol 3: what login.c has asked for, what is spoken */
	bool must_redial; /* login.c: refused for how it came; it comes the other way when this conn has ended */
	bool wants_tls, has_switched; /* dial.c: what is tried now, and whether the other was tried before */
	bool is_second, has_tried_both; /* login.c: which of two secrets is tried now */
	bool wants_password;		/* ... and it is to be looked whether there is another */
	bool was_refused, has_answered; /* login.c: the version was too new; the server has said anything else */
	uint32_t known_batch; /* expect.batch when all was answered last: while it is the same, status is what it will be */
	struct expect expect;
	struct prepared prepared;
	struct server_reader reader;
	struct params params;
	struct params base;	/* params as they were after the login */
	struct params loose;	/* the rider's: what it has set and the server does not report */
	struct params was_loose; /* ... and had before the last time, which may yet fail */
	uint64_t vars_hash;	/* the rider's: which client's parameters are set now; 0: base */
	size_t ours_unsent;	/* the rider's: bytes of ours in front of the request that has just begun */
	const struct server_owner_ops *owner_ops;
	void *owner;
	const struct server_rider_ops *rider_ops;
	void *rider;
	void *promised; /* the owner's: who gets it after the ping */
	struct scram_cache *scram_cache; /* the worker's */
	struct serverauth *auth;
	struct login_wait *deriving; /* login.c: waits for our keys */
	struct resolver *resolver;    /* dial.c: for the time until it is there */
	struct errands *errands;
	struct passsource_ask *asked; /* dial.c: waits for a password */
	uint64_t pass_generation;     /* login.c: the password that was tried */
	struct timeout deadline;
	struct dlist link; /* the owner's list */
	uint32_t pid;
	struct secret key; /* 4 to 256 bytes */
	struct dlist cancels;  /* cancel requests in flight against it */
	uint64_t request_no;   /* counts requests, to tell one from the next */
	struct addr local, remote;
	uint64_t connected_at, connected_wall, idle_since; /* microseconds */
	uint64_t lifetime;				   /* with its jitter; the owner's */
	unsigned replace_level;				   /* the owner's: servers there were when its successor was asked for */
	uint64_t request_since, xact_since;		   /* 0: none */
	uint64_t request_wall;
	uint64_t long_told;	/* request or transaction that was reported as long: its start */
	uint64_t request_mark;	/* conn_written when the lease began: nothing written since = may move */
	char *text;		/* of the running query, bounded */
	uint32_t text_len, text_size;
	struct server_failure failure;
};

/* Gives a server in state NEW; NULL: no memory.  Takes a reference on target. */
struct server *server_new(struct loop *loop, struct target *target, struct scram_cache *cache,
			  const struct server_owner_ops *ops, void *owner) FX_MUST_USE;
/* From on_gone only; memory goes at the end of the turn. */
void server_free(struct server *s);

/* The rider's. */
void server_ride(struct server *s, const struct server_rider_ops *ops, void *rider);
/* Before sending: notes what replies a message of this type will owe.  false: no memory (the server ends). */
bool server_note(struct server *s, uint8_t type);
/* The same with flags of an entry.  1: it is an entry and how it ends will be told; 0: the server ignores the message;
 * -1: no memory (the server ends). */
int server_note_flagged(struct server *s, uint8_t type, uint8_t flags);
/* The same for a message of ours among the client's: its replies are swallowed. */
bool server_note_ours(struct server *s, uint8_t type);
void server_send(struct server *s, const void *data, size_t n, struct chunk *chunk);
/* Should the rider stop sending until on_room?  Remembers the question. */
bool server_is_full(struct server *s);
/* Quiet, and the rider is done with it: back to the owner's hands (state IDLE). */
void server_dismount(struct server *s);
/* May what is sent now be read within a failed transaction? */
static inline bool server_may_have_failed(const struct server *s)
{
	return s->status == TRANSACTION_FAILED || s->expect.batch != s->known_batch;
}
bool server_is_quiet(const struct server *s);
/* A reply has been forwarded in part: nothing of ours can be said to the client until the rest has followed. */
bool server_is_mid_reply(const struct server *s);
/* First bytes of the text of the query that begins now. */
void server_note_text(struct server *s, const void *text, size_t n);

/* The owner's (see clean.h for pinging and cleaning). */
/* Graceful: Terminate, then wait for PostgreSQL's EOF.  Any state; the rider is told. */
void server_close(struct server *s, enum server_end why);
void server_detach(struct server *s);
int server_attach(struct server *s, struct loop *loop, struct scram_cache *cache) FX_MUST_USE;

/* "S-0x2a: db/user@addr:port" in front of the line. */
void server_log(const struct server *s, enum log_level level, const char *fmt, ...) FX_PRINTF(3, 4);
const char *server_state_word(enum server_state state);
const char *server_end_text(enum server_end end);
bool server_may_enter(enum server_state from, enum server_state to);

/* For the other files of this room. */
extern const struct conn_ops server_conn_ops;
void server_enter(struct server *s, enum server_state state);
void server_set_failure(struct server *s, enum server_end end, const char *sqlstate, const char *fmt, ...)
	FX_PRINTF(4, 5);
void server_lost(struct server *s, enum server_end why); /* no farewell possible or needed */
int server_say(struct server *s, struct buf *out);	 /* sends a message of ours, empties out */

#endif
