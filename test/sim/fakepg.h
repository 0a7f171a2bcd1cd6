/*
 * fakepg.h - a fake PostgreSQL server: postmaster, backends, slots, cancel requests.
 *
 * A backend holds its slot from its startup packet until it has really exited, some
 * time after it noticed that its client is gone; then it closes the socket.  It runs
 * pgmodel, lends it time, and watches that nobody else rides on what is not quiet.
 */
#ifndef SIM_FAKEPG_H
#define SIM_FAKEPG_H

#include "net_sim.h"
#include "pgmodel.h"

#define BACKENDS 256

enum backend_state {
	BACKEND_STARTUP,
	BACKEND_PASSWORD,
	BACKEND_READY,
	BACKEND_EXITING,
};

struct backend {
	struct nsock *sock; /* NULL when closed */
	enum backend_state state;
	uint32_t pid, key;
	bool has_slot;
	bool is_working;    /* a statement runs until work fires */
	bool is_sleeping;   /* ... for long */
	bool has_cancel;    /* pending, noticed in COPY */
	bool is_blocked;    /* out does not fit */
	bool says_farewell; /* FATAL before exiting */
	bool has_spoken_async; /* since its last rider change */
	bool has_anonymous;    /* answered something that names no owner since */
	bool was_clean;	       /* nothing was open at some time since the owner's last message */
	bool is_cut;	    /* its network is gone: not counted against limits */
	bool was_seen_eof;
	char db[24], user[24];
	char owner[16]; /* whose messages it read last */
	struct sim_event work, exit;
	struct bytes in;
	struct pgm m;
};

/* What a seed lets the server do. */
struct fakepg_manners {
	uint32_t exec_us;     /* a statement takes up to so long */
	uint32_t exit_us;     /* exiting takes up to so long */
	uint32_t login_us;
	uint32_t flush_one_in;	/* output leaves before it must */
	uint32_t async_one_in;	/* asynchronous notices and parameters; 0: never */
	uint32_t refuse_one_in; /* connection refused; 0: never */
	uint32_t hole_one_in;	/* connection into a black hole */
	uint32_t reject_one_in; /* FATAL in the login */
	bool is_session;	/* a rider stays until it leaves: it loses its session with its server */
	bool wants_password;	/* asks for a clear-text password */
	unsigned max_connections;
	/* limits that the pooler promised */
	unsigned limit_pool, limit_db, limit_user; /* 0: none; per (db, user), per db, per user */
};

struct fakepg {
	struct fakepg_manners manners;
	struct backend *backend[BACKENDS];
	unsigned count;
	uint32_t next_pid;
	bool is_down; /* refuses everything */
	unsigned slots, slots_seen;
	unsigned long statements, cancels_hit, cancels_missed, kills, logins;
};

extern struct fakepg fakepg;

void fakepg_start(const struct fakepg_manners *manners);
void fakepg_finish(void);
/* For engine_sim_dial. */
struct nsock *fakepg_dial(int *err);
/* A client of its own, without a pooler between. */
struct nsock *fakepg_direct(void);
/* Faults: to a random backend. */
enum fakepg_fault { FAULT_TERMINATE, FAULT_CRASH, FAULT_CUT, FAULT_ASYNC };
void fakepg_fault(enum fakepg_fault kind, bool idle_only);
/* The line of this backend goes dead; it notices after a minute (keepalive). */
void fakepg_hush(uint32_t pid);
/* Everything dies and nothing comes up until fakepg_up. */
void fakepg_down(void);
void fakepg_up(void);
/* No more faults, and nothing refused. */
void fakepg_peace(void);
/* Can be used by anybody at once. */
bool fakepg_is_free(const struct backend *b);
/* Somebody's statement is being worked on here. */
bool fakepg_works_for(const struct backend *b, const char *owner);

void fakepg_describe(void);

/* Asked of whoever knows the clients (fakeclient.c, toy.c). */
/* Who has lost something that nobody knows of yet? */
void fakepg_review(void);

bool fakeclient_may_cancel(const char *owner);
/* The owner's request may be lost: its server died.  owner NULL: anybody's. */
void fakeclient_excuse(const char *owner, const char *why);
/* A statement of the pooler's could not be prepared, for the transaction of this client has failed. */
void fakeclient_refuse(const char *owner, const char *text);
/* The same, and not only until the next ReadyForQuery: replies to several requests are on their way. */
void fakeclient_excuse_for_good(const char *owner, const char *why);

#endif
