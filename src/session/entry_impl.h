/*
 * entry_impl.h - what a client carries while it logs in; shared by entry.c and admit.c.
 *
 * Freed whole when the login is over.
 */
#ifndef SESSION_ENTRY_IMPL_H
#define SESSION_ENTRY_IMPL_H

#include "auth/clientauth.h"
#include "base/buf.h"
#include "net/timeout.h"
#include "pool/hub.h"

#define ENTRY_BYTES_MAX ((size_t)128 * 1024) /* of one message of the login; the parsers have lower bounds */
#define ENTRY_KEEP ((size_t)16 * 1024)	     /* a client that does not wait for its welcome */

struct client;
struct osname_question;
struct witness;
struct userfind;

struct login {
	struct buf in;	   /* the packet that is being received */
	void (*on_spelt)(struct client *c); /* canon.c: what comes next */
	struct clientauth *auth;	/* NULL in state AUTH: osname.c or tarry.c waits */
	struct osname_question *question; /* osname.c: what it waits for */
	struct client *client;	 /* whose it is */
	struct timeout tarry;	 /* tarry.c: due when it has waited; seat.c, before that */
	struct dlist silent;	 /* seat.c: of worker->silent, while the next step is the client's */
	uint64_t silent_since;	 /* ... monotonic */
	uint64_t seat_until;	 /* ... how long it waits for a seat */
	struct witness *witness; /* witness.c: who judges the password; NULL: clientauth does */
	struct reckon *reckon;	/* reckon.c: whose keys are being computed; NULL: nobody's */
	struct userfind *find;	/* userfind.c; NULL: nothing was looked up */
	struct credential_keys keys; /* learnt */
	char *user, *database;
	char *replication;    /* replica.c; NULL: an ordinary client */
	struct params *extra; /* ... what else it said */
	bool saw_ssl, saw_gss;
	bool is_waiting; /* for an answer about its user: nothing is read until it comes */
	bool is_direct;	 /* TLS was begun without a question */
};

#endif
