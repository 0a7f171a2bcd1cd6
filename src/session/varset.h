/*
 * varset.h - the values that a client carries, and which names may be among them.
 *
 * For vars.c.  The client's worker.
 */
#ifndef SESSION_VARSET_H
#define SESSION_VARSET_H

#include "session/client.h"

enum varset_pending { VARSET_PENDING_NONE, VARSET_PENDING_LOCAL, VARSET_PENDING_ONE, VARSET_PENDING_SOME, VARSET_PENDING_ALL };

struct varset {
	struct params now;	/* client->vars points here */
	struct params start;	/* what it gave at startup */
	uint8_t pending;	/* enum varset_pending: to be set to start again */
	char *pending_name;	/* VARSET_PENDING_ONE and _LOCAL */
	uint8_t repeats;	/* of what was said to set them to start: a cancel has hit it */
	struct buf unsaid;	/* client->is_unsaid: the SQL that sets them to start */
	bool is_unsaid_local;	/* and only until the end of the transaction */
	struct params known;	/* what the client knows of names whose reports it was not told while that is pending */
};

/* Only when client->vars is not NULL. */
static inline struct varset *varset_of(const struct client *c)
{
	return container_of(c->vars, struct varset, now);
}

bool varset_is_bouncer(const struct client *c);
/* Reported, but not a client's to choose. */
bool varset_is_volatile(const char *name);
/* Does this follow the client when a server reports it? */
bool varset_is_tracked(const struct client *c, const char *name);
/* false: no memory, or too much of it; nothing has changed. */
bool varset_put(struct client *c, const char *name, const char *value) FX_MUST_USE;
void varset_free(struct client *c);

#endif
