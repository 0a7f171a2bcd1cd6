/*
 * lookup_impl.h - what the files of lookup share.
 *
 * lookup.c is the askers' side, lookhelp.c the helpers', lookplace.c what both know of a
 * place.  Everything under lookup->lock unless said otherwise.
 */
#ifndef NET_LOOKUP_IMPL_H
#define NET_LOOKUP_IMPL_H

#include "base/hash.h"
#include "base/lock.h"
#include "net/helper.h"
#include "net/lookup.h"

#include <pthread.h>
#include <time.h>

#define LOOKUP_ERROR 512

struct lookup_place {
	struct dlist ready;   /* on lookup->ready while it has requests and no helper */
	struct dlist waiting; /* struct lookup_request */
	struct lookup_request *current; /* a helper's */
	struct pqlink *link;		/* the helper's while there is one */
	bool is_busy;			/* a helper has it */
	bool is_stale;			/* the password is another one now */
	uint64_t idle_since;
	struct pqlink_where where; /* strings of its own, see text */
	struct secret password;
	struct buf text; /* the key: all strings of where */
};

struct lookup {
	struct lock lock;
	struct helpers helpers;
	struct lookup_driver driver;
	uint64_t idle_us;
	int stop_fd;
	struct hash_map places;
	struct dlist ready;
	unsigned idle, open, waiting;
	uint64_t opened, asked;
	bool is_closing;
};

struct lookup_request {
	struct mail mail;
	struct dlist link;	 /* place->waiting, under the lock */
	struct loop *loop;	 /* constant */
	struct lookup_ask *ask;	 /* the loop's; NULL: forgotten or answered */
	struct timeout deadline; /* the loop's */
	uint64_t until;
	const char *sql;
	char *param[LOOKUP_PARAMS_MAX];
	unsigned params;
	bool is_answered; /* rows are good */
	struct pqlink_rows rows;
	char error[LOOKUP_ERROR];
};

/* lookup.c: gives back what a request holds. */
void lookup_request_free(struct lookup_request *q);
/* lookup.c: mail. */
void lookup_deliver(struct loop *loop, struct mail *mail);

/* The place of this question, made when there is none; NULL: too many. */
struct lookup_place *lookplace_get(struct lookup *l, const struct lookup_question *question);
void lookplace_free(struct lookup *l, struct lookup_place *place);

/* A helper's life. */
void lookhelp_run(void *lookup);
/* One more helper, unless one is at leisure or there are enough. */
void lookhelp_start(struct lookup *l);
struct timespec lookhelp_timespec(uint64_t us);

#endif
