/*
 * fakeclient.h - fake clients: seeded scripts, and an oracle for every byte of reply.
 *
 * The oracle is a second pgmodel that is told what the client sent.  What arrives
 * must be what it says, in order, and complete; an error of the pooler's own is let
 * pass only when something happened that excuses it.
 */
#ifndef SIM_FAKECLIENT_H
#define SIM_FAKECLIENT_H

#include "net_sim.h"
#include "pgmodel.h"

#define CLIENTS 64
#define CLIENT_STEPS 12
#define CLIENT_REFUSED 8

struct fakeclient_manners {
	unsigned batches;	   /* requests in a life, at most */
	uint32_t think_us;	   /* pause between requests, at most */
	uint32_t lazy_us;	   /* bytes wait so long to be read, at most */
	uint32_t cancel_one_in;	   /* requests that are cancelled; 0: none */
	uint32_t die_one_in;	   /* clients that leave at any byte; 0: none */
	uint32_t pipeline_one_in;  /* next request without waiting; 0: never */
	uint32_t sleep_us;	   /* longest sleep statement */
	uint32_t big_one_in;	   /* big results */
	bool has_transactions, has_extended, has_copy, has_session_state, has_stray_sync,
		has_odd_sync, has_huge, likes_copy, has_parameters;
	uint32_t statements_one_in; /* requests with prepared statements; 0: none */
	bool has_discard, has_alter;
	bool says_pipeline;   /* one pipeline and no more, with an error */
	unsigned error_at;    /* in front of which of its messages */
	bool hides_plans; /* who is between makes stale plans anew */
	uint32_t dawdle_us;   /* clients may say nothing for so long once they are connected; 0: none does */
	uint32_t evil_one_in; /* clients that end with garbage; 0: none */
	bool is_autonomous; /* statement mode: no transaction blocks */
	unsigned users, dbs;
};

enum fclient_state {
	FCLIENT_NEW,
	FCLIENT_SSL,
	FCLIENT_LOGIN,
	FCLIENT_RUN,
	FCLIENT_LEAVING, /* said Terminate or has left the line half open */
	FCLIENT_GONE,
};

struct client_step {
	struct bytes msgs;
	bool waits;  /* until everything sent so far is answered */
	bool pauses; /* thinks first, and may vanish then */
	bool hides;  /* uses one prepared statement and no more: that its plan was stale need not be seen */
};

struct fclient {
	unsigned id;
	enum fclient_state state;
	struct nsock *sock;
	char user[24], db[24], name[16];
	struct sim_event wake, look;
	struct bytes in, out, sent;
	uint64_t out_total, die_at;
	uint32_t pid, key;
	bool has_key;
	struct client_step step[CLIENT_STEPS];
	unsigned step_at, step_count;
	unsigned batches_left, request;
	bool is_excused, is_excused_for_good;
	const char *excuse;
	bool is_broken; /* an error of the pooler's ended the conversation */
	bool will_die, is_evil, has_paused, is_dawdling;
	bool wants_cancel;
	unsigned cancel_credit; /* cancel requests that have not hit yet */
	unsigned cancels_sent, cancel_errors;
	char var_before[40], app_before[40]; /* session state before it */
	char app[40]; /* application_name it logs in with; "": none */
	char current; /* type of the message whose answers are awaited */
	struct pgm model;
	/* prepared statements */
	struct pgm_set stmt_before; /* as var_before */
	bool is_vague;		    /* what it has prepared can't be told any more: it leaves */
	bool gives_up;		    /* when a request is refused or lost, what was to follow makes no sense */
	bool was_refused;	    /* something it said was not done: what it has prepared may be of before */
	bool hides;		    /* the last step said so, */
	uint32_t schema_at;	    /* and this was when */
	char refused[CLIENT_REFUSED][PGM_TEXT]; /* a failed transaction had no room for these, which a server had not */
	unsigned refused_count;
	unsigned types[8];	    /* what the script thinks its names stand for + 1 */
	uint64_t waiting_since; /* of an answer, 0: none */
	unsigned long replies;
};

struct fclients {
	struct fakeclient_manners manners;
	struct fclient *client[CLIENTS];
	unsigned count, gone;
	unsigned long replies, errors_excused, cancelled_waiting, cancels_sent, deaths, requests;
	unsigned cancels_open;
};

extern struct fclients fclients;

/* Connects to whatever is under test. */
extern struct nsock *(*fakeclient_connect)(void);

void fakeclient_start(const struct fakeclient_manners *manners);
/* A client that will connect at some time within the delay. */
void fakeclient_add(uint64_t delay);
void fakeclient_finish(void);
static inline bool fakeclient_all_gone(void)
{
	return fclients.gone == fclients.count && fclients.cancels_open == 0;
}
/* Has sent all that an answer needs, and has none. */
bool fakeclient_is_waiting(struct fclient *c);

void fakeclient_describe(void);
/* The client at the other end of the pooler's socket of this port; NULL: none. */
struct fclient *fakeclient_by_port(uint16_t port);
/* Somebody else asks that what the client runs is cancelled. */
void fakeclient_credit(struct fclient *c);

/* For the scripts. */
void client_script(struct fclient *c);
bool fakeclient_is_answered(struct fclient *c);

#endif
