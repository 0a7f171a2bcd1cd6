/*
 * lookup.h - a question to PostgreSQL on a connection of our own, without stalling any loop.
 *
 * Any loop may ask: where, a statement that is a constant of ours, its parameters, a
 * deadline.  Helper threads wait for the server (pqlink.c) and answer by mail with rows
 * as text.  There is at most one connection for each place (server, database, role), so
 * the questions to one place follow each other; it is kept for a while and then closed.
 * These connections are beside the pools: no limit of theirs counts them.
 */
#ifndef NET_LOOKUP_H
#define NET_LOOKUP_H

#include "base/secret.h"
#include "net/loop.h"
#include "net/pqlink.h"

#define LOOKUP_PARAMS_MAX 4
#define LOOKUP_THREADS	  4  /* so many servers may hang before others wait for them */
#define LOOKUP_PLACES	  64 /* connections at a time */
#define LOOKUP_WAITING	  1024

struct lookup;
struct lookup_request;

/* How a helper reaches a server; tests bring their own. */
struct lookup_driver {
	struct pqlink *(*open)(const struct pqlink_where *where, const struct pqlink_limit *limit, char *error, size_t size);
	enum pqlink_result (*ask)(struct pqlink *link, const char *sql, const char *const *param, unsigned params,
				  const struct pqlink_limit *limit, struct pqlink_rows *rows, char *error, size_t size);
	bool (*is_lost)(struct pqlink *link);
	void (*close)(struct pqlink *link);
};

/* Control thread.  driver NULL: pqlink.  idle: microseconds that an unused connection stays open.  No thread is started
 * before the first question.  NULL when the system has no descriptor left. */
struct lookup *lookup_new(uint64_t idle, const struct lookup_driver *driver) FX_MUST_USE;
/* Control thread, when the loops that asked have stopped, and before loop_fini.  No asker is answered any more.  Helpers
 * are interrupted; one that cannot be ends by itself.  NULL is fine. */
void lookup_free(struct lookup *l);

/* Embedded in the asker, who sets on_answer; initialised to zero. */
struct lookup_ask {
	/* Once for each lookup_ask, on the asker's loop, never before lookup_ask returns.  rows is lent; NULL: error is
	 * a line for the log. */
	void (*on_answer)(struct lookup_ask *ask, const struct pqlink_rows *rows, const char *error);
	struct lookup_request *request; /* while waiting */
};

struct lookup_question {
	struct pqlink_where where; /* password: see below */
	const struct secret *password; /* NULL: none */
	const char *sql;	       /* constant: never freed; harmless to be asked twice */
	const char *param[LOOKUP_PARAMS_MAX];
	unsigned params;
	uint64_t deadline; /* microseconds from now, for connecting and asking together */
};

/* The loop's thread.  The question is borrowed until return.  The ask must not be waiting. */
void lookup_ask(struct lookup *l, struct loop *loop, const struct lookup_question *question, struct lookup_ask *ask);
/* The loop's thread.  The asker goes away: no answer will come.  Harmless when not waiting. */
void lookup_forget(struct lookup_ask *ask);
static inline bool lookup_is_waiting(const struct lookup_ask *ask)
{
	return ask->request != NULL;
}

struct lookup_stats {
	unsigned places;  /* known */
	unsigned open;	  /* connections */
	unsigned waiting; /* questions not answered yet */
	uint64_t opened;  /* connections, ever */
	uint64_t asked;	  /* questions that were sent, ever */
};
/* Any thread. */
void lookup_get_stats(struct lookup *l, struct lookup_stats *out);

#endif
