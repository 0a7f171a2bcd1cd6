/*
 * usercache.h - what servers have said about users, and who waits for it to be said.
 *
 * One for the process; any thread, under a lock of its own that is held for a few
 * instructions and never while anybody is called back.  Asks nobody itself: the first
 * who wants to know gets a ticket and has to bring the answer, the others wait for it.
 * Bounded: beyond USERCACHE_MAX users the oldest answer goes.  A key is
 * "database\0auth_user\0query\0user" with a kind, so a place never answers for another.
 */
#ifndef AUTH_USERCACHE_H
#define AUTH_USERCACHE_H

#include "auth/useranswer.h"
#include "base/dlist.h"

#define USERCACHE_MAX 10000

struct usercache;
struct usercache_ticket; /* a question that is under way: the asker's until usercache_answer */

/* Why there is no answer. */
struct usercache_failure {
	char message[256]; /* for the log */
	bool is_server;	   /* it had no answer for us, for the reason in message; else its answer was of no use */
};

struct usercache_waiter {
	struct dlist link;
	/* On the asker's thread, once.  Gives answer (NULL: failed, and why is lent). */
	void (*wake)(struct usercache_waiter *w, struct useranswer *answer, uint64_t asked_at,
		const struct usercache_failure *why);
};

enum usercache_say {
	USERCACHE_KNOWN, /* *answer is given */
	USERCACHE_ASK,	 /* *ticket is the caller's, who asks; the waiter waits with all others */
	USERCACHE_WAIT,	 /* somebody asks */
};

struct usercache_query {
	const void *key;
	size_t key_len;
	uint64_t not_before; /* an answer that was asked for before this is not wanted; one that is to come always is */
	uint64_t now;
};

struct usercache *usercache_new(size_t max);
void usercache_free(struct usercache *c);

/* The waiter must stay until it is woken.  asked_at: of a known answer. */
enum usercache_say usercache_ask(struct usercache *c, const struct usercache_query *q, struct usercache_waiter *w,
	struct useranswer **answer, uint64_t *asked_at, struct usercache_ticket **ticket);
/* The question goes out now: who comes later wants a later answer. */
void usercache_sent(struct usercache *c, struct usercache_ticket *t);
/* Takes the ticket; takes answer (NULL: failed).  keep: for others who come later.  Wakes who waits. */
void usercache_answer(struct usercache *c, struct usercache_ticket *t, struct useranswer *answer, bool keep,
	const struct usercache_failure *why);
/* All that is known is forgotten, and answers that are under way are for those alone who wait for them. */
void usercache_forget(struct usercache *c);
/* Forgets what was asked before. */
void usercache_sweep(struct usercache *c, uint64_t before);
/* Are most of the secrets that were looked up SCRAM secrets? (yes, before any was) */
bool usercache_most_are_scram(struct usercache *c);

struct usercache_stats {
	uint64_t asked, hits, merged, failed, rechecks;
	size_t users, waiting, under_way;
};
void usercache_get_stats(struct usercache *c, struct usercache_stats *out);
void usercache_note_recheck(struct usercache *c);
/* Under the lock: fn must not come back. */
void usercache_each(struct usercache *c,
	void (*fn)(void *arg, const char *key, size_t key_len, const struct useranswer *answer, uint64_t asked_at),
	void *arg);

#endif
