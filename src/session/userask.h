/*
 * userask.h - one question about a user, put to a server: its secret (auth_query), or its roles.
 *
 * The worker's thread.  Lives by itself: whoever wants to know may leave meanwhile.  Rides a
 * server of an askpool; never waits, and has a deadline.  The answer goes to the ticket.
 */
#ifndef SESSION_USERASK_H
#define SESSION_USERASK_H

#include "auth/usercache.h"
#include "conf/conf.h"

struct worker;

#define USERASK_REPLY_MAX ((size_t)256 * 1024) /* an answer with more is an error */
#define USERASK_SECRET_MAX 2048		       /* so is a longer secret, as for PgBouncer */

/* Takes the ticket.  lookup: where, as whom, with which statement (a question for roles has its own).  The answer
 * never comes from inside this call. */
void userask_start(struct worker *w, const struct conf_lookup *lookup, enum useranswer_kind kind, const char *user,
		   struct usercache_ticket *ticket);
/* The worker ends: all its questions fail. */
void userask_end_all(struct worker *w);

#endif
