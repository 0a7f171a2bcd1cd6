/*
 * osname.h - the name of a client's user in the operating system, as auth_type peer wants it.
 *
 * The client's worker.  The system may make us wait, so a helper thread asks it; what
 * it said is remembered for a minute.
 */
#ifndef SESSION_OSNAME_H
#define SESSION_OSNAME_H

#include "base/osuser.h"
#include "base/check.h"

#include <stdint.h>
#include <sys/types.h>

struct client;
struct login;
struct osname_question;

#define OSNAME_USERS 8

/* What a worker remembers of the system. */
struct osname_memory {
	struct {
		uint64_t until; /* 0: free */
		uid_t uid;
		char name[OSUSER_MAX]; /* "": there is none */
	} user[OSNAME_USERS];
};

/* -1: it cannot be asked now; 0: it is known; 1: the client is paused, and admit_again comes, unless osname_forget does */
int osname_ask(struct client *c, uid_t uid) FX_MUST_USE;
/* "": there is none; NULL: not known (any more).  Borrowed until the next question is answered. */
const char *osname_recall(const struct osname_memory *m, uid_t uid, uint64_t now);
/* The login goes away; harmless when it does not wait. */
void osname_forget(struct login *l);

#endif
