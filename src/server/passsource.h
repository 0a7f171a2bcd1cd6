/*
 * passsource.h - passwords for servers that come from a file or a program, and are kept for a while.
 *
 * One for each target that wants it, shared by all workers and handed on at RELOAD.  Any
 * thread.  Reading and running is done by helpers (errand.h), once at a time, however many
 * servers wait for it.  The first line is the password, a second one is valid as well.
 * A failure leaves the last good ones in force.  Secrets are wiped, and never logged.
 */
#ifndef SERVER_PASSSOURCE_H
#define SERVER_PASSSOURCE_H

#include "auth/credential.h"
#include "net/errand.h"

#define PASSSOURCE_BYTES_MAX ((size_t)16 * 1024)
#define PASSSOURCE_ERROR_MAX 256

/* Texts are copied. */
struct passsource_spec {
	const char *file, *command; /* one of them; the command has been looked at by argwords.h */
	const char *name;	    /* "database/user", for the log */
	const char *user, *database, *host; /* for the program's environment */
	uint64_t ttl;		    /* microseconds; 0: anew for each connection */
	uint64_t deadline;	    /* of one attempt, microseconds */
};

struct passsource;
struct passsource_ask;

struct passsource *passsource_new(const struct passsource_spec *spec) FX_MUST_USE;
struct passsource *passsource_ref(struct passsource *p);
void passsource_unref(struct passsource *p); /* NULL is fine */
/* Do they ask the same of the same?  NULL is the same as NULL. */
bool passsource_is_same(const struct passsource *a, const struct passsource *b);
/* What is kept is asked for anew before it is used again (but stays, should that fail). */
void passsource_expire(struct passsource *p);

enum passsource_answer { PASSSOURCE_READY, PASSSOURCE_WAITS };

/* The loop's thread.  seen: 0, or the generation that a server has refused: then it is asked for anew unless that has been
 * done since.  WAITS: on_answer comes, on this loop, unless passsource_forget does; *ask is the way to that.  on_answer and
 * READY: error is "" or says why there is no password at all (lent until return; size PASSSOURCE_ERROR_MAX). */
enum passsource_answer passsource_ask(struct passsource *p, struct errands *errands, struct loop *loop, uint64_t seen,
				      void (*on_answer)(void *arg, const char *error), void *arg, struct passsource_ask **ask,
				      char error[PASSSOURCE_ERROR_MAX]) FX_MUST_USE;
/* The loop's thread; NULL is fine. */
void passsource_forget(struct passsource_ask **ask);
/* Copies what is known (CREDENTIAL_NONE: nothing), the caller wipes.  Gives the generation: another one, other passwords. */
uint64_t passsource_read(struct passsource *p, struct credential pair[2]);

#endif
