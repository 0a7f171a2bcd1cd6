/*
 * client.h - one application's connection, from its first byte to its last.
 *
 * One thread: the worker that it was given to.  Nothing else holds a pointer to
 * it; other threads name it by its handle (worker->clients) or its id.
 */
#ifndef SESSION_CLIENT_H
#define SESSION_CLIENT_H

#include "auth/identity.h"
#include "base/log.h"
#include "pool/lease.h"

struct client;
struct login;
struct statements;
struct worker;

enum client_state {
#define CLIENT_STATE(id, word, from) CLIENT_##id,
#include "session/client_state.def"
#undef CLIENT_STATE
	CLIENT_STATE_COUNT
};

enum client_end {
#define CLIENT_END(id, bouncer, own, level, text) CLIENT_END_##id,
#include "session/client_end.def"
#undef CLIENT_END
	CLIENT_END_COUNT
};

struct client {
	struct conn conn;
	struct loop_grave grave;
	struct worker *worker;
	struct dlist link; /* of worker->clients */
	struct lease lease;
	struct timeout deadline; /* of the state */
	struct login *login;	 /* while it logs in */
	struct identity *identity;
	struct pool *pool;	       /* NULL: console, or not logged in */
	struct conf_limits *limits;    /* the pool's, or its own when the database forces the server's user */
	char *application_name;	       /* NULL: none */
	struct params *vars;	       /* tracked parameters that are its own; NULL: none */
	uint64_t vars_hash;	       /* of them; 0: none */
	struct statements *statements; /* its prepared statements; NULL: it never named one */
	struct client *key_next;       /* keyring.c */
	uint64_t id, handle;
	uint64_t connected_wall;       /* microseconds */
	uint64_t state_since;	       /* monotonic: when its deadline began to count */
	uint64_t request_since;	       /* monotonic: first message of the request that runs or waits */
	struct addr peer;
	uint32_t cancel_pid; /* what it was told; the key that goes with it is made anew when needed: keyring.c */
	uint32_t left;	   /* bytes of the current message's body still to come */
	uint8_t hdr[5];	   /* a header that came in pieces */
	uint8_t have;	   /* bytes of it */
	uint8_t type;	   /* of the current message */
	uint8_t state;	   /* enum client_state */
	uint8_t end;	   /* enum client_end */
	uint8_t pool_mode; /* enum conf_pool_mode, fixed at login */
	uint16_t place;	   /* among the strangers; 0: none */
	uint8_t key_len;   /* of its cancel key: 4, or 32 with protocol 3.2.  Other workers read it: no bit among bits that change */
	bool is_forwarding : 1; /* the current message's body goes to the server */
	bool is_refusing : 1;	/* the next message begins the request that is refused */
	bool is_skipping : 1;	/* drop everything up to Sync */
	bool is_counted : 1;	/* logged in and counted by the hub */
	bool is_relaying : 1;	/* inside relay_on_bytes */
	bool was_notified : 1;	/* query_wait_notify was sent */
	bool is_keyed : 1;	/* in the worker's keyring */
	bool owns_limits : 1;
	bool has_seat : 1;     /* of max_client_conn: seat.c */
	bool has_unnamed : 1;  /* the unnamed statement of the server it rides is its own, if it could be parsed */
	bool is_teeing : 1;    /* the current message's body is also kept (an unnamed Parse in pieces) */
	bool is_stalled : 1;   /* paused until what was sent is answered */
	bool is_leaving : 1;   /* has said Terminate behind requests that are still answered */
	bool is_rewritten : 1; /* since it got this server, something that is not its own bytes was sent for it */
	bool is_unsaid : 1;    /* what its RESET makes us say to this server is put off: varreset.h */
	bool has_answered : 1; /* since it got this server, bytes of answers went to the client */
	uint8_t replication : 2; /* enum startup_replication */
};

/* Takes fd and its place among the strangers.  refused: the hub's answer if it may not stay. */
void client_new(struct worker *w, int fd, const struct addr *peer, uint16_t place, enum hub_answer refused);
/* It has proved who it is, or goes: not a stranger any more. */
void client_known(struct client *c);
void client_enter(struct client *c, enum client_state state);
bool client_may_enter(enum client_state from, enum client_state to);
const char *client_state_word(enum client_state state);
/* Says why (when the reason has an SQLSTATE), then closes when the client has taken it.  fmt NULL: the reason's own
 * sentence.  Gives back what the client holds. */
void client_fail(struct client *c, enum client_end end, const char *fmt, ...) FX_PRINTF(3, 4);
/* The same with another error's code. */
void client_fail_as(struct client *c, enum client_end end, const char *sqlstate, const char *message);
/* Closes at once without a word (the peer has gone, or has been told already when flush). */
void client_close(struct client *c, enum client_end end);
void client_finish(struct client *c, enum client_end end); /* ... after the out-queue is empty */
/* "C-0x2a: db/user@addr:port" for log lines */
void client_context(const struct client *c, char *out, size_t size);
void client_log(const struct client *c, enum log_level level, const char *fmt, ...) FX_PRINTF(3, 4);
void client_send_error(struct client *c, const char *severity, const char *sqlstate, const char *message);
/* The SQLSTATE of a reason in the profile that is in force. */
const char *client_sqlstate(const struct client *c, enum client_end end);
const char *client_end_text(enum client_end end);
/* Lets go of server and place in the queue, in whatever state the client is. */
void client_let_go(struct client *c);
/* Logged in on the console. */
static inline bool client_is_console(unsigned state)
{
	return state == CLIENT_CONSOLE || state == CLIENT_COMMAND;
}
static inline struct client *client_of(struct conn *conn)
{
	return container_of(conn, struct client, conn);
}

#endif
