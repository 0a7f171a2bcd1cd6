/*
 * resolve.h - addresses of host names, without stalling any loop.
 *
 * Any loop may ask; helper threads of our own wait for the system's resolver
 * (getaddrinfo) and answer by mail.  Answers are cached for all loops.  A failure
 * that may pass (SERVFAIL, no reply) leaves the last good answer in force; only a
 * plain "no such name" takes it away.
 */
#ifndef NET_RESOLVE_H
#define NET_RESOLVE_H

#include "net/hostaddr.h"
#include "net/loop.h"

#define RESOLVE_ADDRS 16 /* more are cut off */

struct resolver;
struct resolve_request;

struct resolve_options {
	uint64_t ttl;	   /* microseconds; dns_max_ttl (the system's resolver does not tell the record's own) */
	uint64_t nxttl;	   /* microseconds; dns_nxdomain_ttl, for every kind of failure */
	uint64_t deadline; /* microseconds; an asker waits at most so long; 0: RESOLVE_DEADLINE_US */
	/* Runs on a helper thread.  NULL: hostaddr_look_up. */
	enum hostaddr_result (*look_up)(const char *host, struct addr *list, unsigned *n, char *error, size_t size);
};

#define RESOLVE_DEADLINE_US UINT64_C(10000000)

/* Control thread.  No thread is started before the first name is asked for. */
struct resolver *resolve_new(const struct resolve_options *options) FX_MUST_USE;
/* Control thread, when the loops that asked have stopped, and before loop_fini.  No asker is answered any more.  Does not
 * wait for a look-up that hangs. */
void resolve_free(struct resolver *r);
/* Any thread; for answers from now on. */
void resolve_set_ttl(struct resolver *r, uint64_t ttl, uint64_t nxttl);

/* Embedded in the asker, who sets port and on_answer; initialised to zero. */
struct resolve_ask {
	/* Once for each resolve_ask, on the loop's thread.  list is lent, in the order of preference, with
	 * port filled in; n is 0 and error a sentence when there is none, else error is NULL. */
	void (*on_answer)(struct resolve_ask *ask, const struct addr *list, unsigned n, const char *error);
	uint16_t port;
	struct resolve_request *request; /* while waiting */
};

/* The loop's thread.  Answers before it returns when host is a numeric address or its answer is cached; else later, at
 * most options.deadline.  host is borrowed until return.  The ask must not be waiting. */
void resolve_ask(struct resolver *r, struct loop *loop, const char *host, struct resolve_ask *ask);
/* The loop's thread.  The asker goes away or has changed its mind: no answer will come.  Harmless when not waiting. */
void resolve_forget(struct resolve_ask *ask);
static inline bool resolve_is_waiting(const struct resolve_ask *ask)
{
	return ask->request != NULL;
}

struct resolve_stats {
	unsigned names;	  /* cached */
	unsigned pending; /* names being looked up */
	unsigned waiting; /* asks not answered yet */
	uint64_t queries; /* look-ups, ever */
};
/* Any thread. */
void resolve_get_stats(struct resolver *r, struct resolve_stats *out);
/* Any thread: calls back under a lock, for each name (SHOW DNS_HOSTS); ttl in microseconds, 0 when it is over. */
void resolve_each(struct resolver *r,
		  void (*row)(void *arg, const char *host, uint64_t ttl, const struct addr *list, unsigned n),
		  void *arg);

#endif
