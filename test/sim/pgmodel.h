/*
 * pgmodel.h - what a PostgreSQL backend answers, as a function of what it is told.
 *
 * No socket and no time: the fake server feeds it messages and lends it time; the
 * fake client's oracle runs a second one over the messages it sent, so that it
 * knows every byte that must come back.  Statements, separated by ';':
 *
 *   echo TOKEN n [w]      n rows with the token, padded to w bytes
 *   error TOKEN           an error
 *   notice TOKEN          a notice
 *   sleep us TOKEN        takes time, one row
 *   copyin TOKEN [k]      COPY FROM STDIN; fails at the k-th CopyData
 *   copyout TOKEN n [w]
 *   set TOKEN, show TOKEN session state
 *   setapp TOKEN, app TOKEN application_name
 *   tell KEY n            n rows with the key, the types and the first parameter
 *   plan KEY n            the same, but its plan goes stale when somebody says
 *   alter TOKEN           ... this
 *   deallocate NAME, deallocate all
 *   begin commit rollback discard-all; and SELECT 1, SET, RESET, empty ones (ours)
 */
#ifndef SIM_PGMODEL_H
#define SIM_PGMODEL_H

#include "bytes.h"

#define PGM_TEXT 160
#define PGM_STMTS 8
#define PGM_TYPES 4
#define PGM_STALE "cached plan must not change result type"

enum pgm_outcome {
	PGM_DONE,
	PGM_CANCELLED,
};

/* a prepared statement or a portal */
struct pgm_named {
	char name[80];
	char text[PGM_TEXT]; /* never empty: " " */
	uint32_t type[PGM_TYPES];
	unsigned types;
	uint32_t schema; /* when it was planned */
	char arg[24];	 /* a portal's first parameter */
	uint32_t row;	 /* a portal's position */
};

struct pgm_set {
	struct pgm_named *at;
	unsigned count, cap;
};

struct pgm {
	char tx;	/* I, T, E */
	bool is_implicit_failed;
	bool is_skipping; /* until Sync */
	bool is_extended; /* the message being worked on */
	bool is_copying;
	bool has_ignored_sync; /* in this COPY */
	bool is_odd; /* an error came after that: nobody between us and the client can tell what is owed */
	bool wants_flush; /* out should leave now */
	bool is_over;	  /* Terminate was received, or a fatal error made */
	char var[40];	  /* session state */
	char app[40], app_base[40]; /* application_name, now and after DISCARD ALL */
	bool is_mute; /* does not report parameters: an oracle */
	/* statements of the message being worked on */
	char todo[PGM_STMTS][PGM_TEXT];
	unsigned todo_at, todo_count;
	struct pgm_set stmt, portal;
	bool is_unsure; /* an unnamed Parse, or what else ends the one before, was skipped: a pooler that forgot that one is excused */
	bool is_stale; /* an oracle: the next use of a plan fails */
	char described[PGM_TEXT]; /* the statement of the last Describe */
	char running[80]; /* portal of the Execute being worked on */
	uint32_t max_rows;
	/* COPY FROM STDIN */
	char copy_token[40];
	uint32_t copy_fails_at, copy_seen;
	uint32_t copy_sum;
	/* who is on it: the owner in the last token, "" when none */
	char rider[16];
	const char *garbage; /* a message or statement nobody can have meant */
	struct bytes out;
};

void pgm_init(struct pgm *m);
void pgm_fini(struct pgm *m);
/* A copy that can be played with, without what it has said; pgm_fini it. */
void pgm_fork(struct pgm *copy, const struct pgm *of);
void pgm_set_copy(struct pgm_set *to, const struct pgm_set *from);
/* NULL: none. */
struct pgm_named *pgm_find(const struct pgm_set *set, const char *name);
/* How often something was altered, in the one database there is. */
extern uint32_t pgm_schema;
/* Takes a message; afterwards pgm_is_busy tells whether statements wait to be run. */
void pgm_message(struct pgm *m, char type, const uint8_t *body, uint32_t len);
static inline bool pgm_is_busy(const struct pgm *m)
{
	return m->todo_at < m->todo_count;
}
/* Microseconds that the next statement sleeps, 0: none. */
uint32_t pgm_sleep(const struct pgm *m);
/* Runs the next statement. */
void pgm_run(struct pgm *m, enum pgm_outcome outcome);
/* During COPY FROM STDIN: the cancel request is noticed at a message. */
void pgm_cancel_copy(struct pgm *m);
/* There is no unnamed statement any more. */
void pgm_forget_unnamed(struct pgm *m);
/* An ErrorResponse or NoticeResponse. */
void pgm_report(struct bytes *out, char type, const char *severity, const char *code, const char *text);
/* The client that a text's token belongs to, into out of 16; "" when there is none. */
void pgm_owner(const char *text, char *out);

#endif
