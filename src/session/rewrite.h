/*
 * rewrite.h - messages of a client that go to its server in other words.
 *
 * In transaction and statement mode a prepared statement has two names: the
 * client's, and ours on the server (server/stmt.h).  Parse, Bind, Describe and Close
 * are put from the one into the other; what the server lacks is prepared in front,
 * what is too much there is closed.
 *
 * The client's worker, from the relay.
 */
#ifndef SESSION_REWRITE_H
#define SESSION_REWRITE_H

#include "proto/wire.h"
#include "session/statements.h"
#include "session/worker.h"

enum rewrite_verdict {
	REWRITE_PLAIN, /* forward it as it is */
	REWRITE_SENT,  /* *used bytes of its body are dealt with; what follows is forwarded */
	REWRITE_STALL, /* answers to what was sent must come first */
	REWRITE_END,   /* the client is closing */
};

/* An unnamed Parse that lies in the slice and has not been bound yet. */
struct rewrite_unnamed {
	const uint8_t *body; /* after the name; NULL: none */
	size_t len;
	uint32_t at; /* the number of its Parse among what the server was sent (expect->pushed) */
};

static inline bool rewrite_is_on(const struct client *c)
{
	return c->pool_mode != CONF_POOL_SESSION && c->worker->home.conf->set.max_prepared_statements > 0;
}

/* Is what the server has for the unnamed statement this client's own? */
static inline bool rewrite_has_unnamed(const struct client *c)
{
	return c->has_unnamed && c->lease.state == LEASE_HELD &&
	       expect_watched(&c->lease.server->expect) == EXPECT_WELL;
}

/* Does a message of this type have to be looked into? */
static inline bool rewrite_wants(const struct client *c, uint8_t type)
{
	switch (type) {
	case FE_PARSE:
		return rewrite_is_on(c);
	case FE_BIND:
	case FE_DESCRIBE:
		return (c->statements != NULL || !rewrite_has_unnamed(c)) && rewrite_is_on(c);
	case FE_CLOSE:
	case FE_QUERY:
		return c->statements != NULL && rewrite_is_on(c);
	case FE_EXECUTE:
		/* one that is being put together is so to its end, whatever becomes of the portals meanwhile */
		return c->statements != NULL && (c->statements->doomed != NULL || c->statements->part.len > 0);
	default:
		return false;
	}
}

/* Are have bytes of a body of len bytes enough to tell what to do with the message? */
bool rewrite_has_enough(const struct client *c, uint8_t type, uint32_t len, const uint8_t *body, size_t have);
/* Makes the client's record; false: no memory, the client is closing. */
bool rewrite_prepare(struct client *c);
/* The client has a server.  What has to be noted in the expectation queue is noted, but for REWRITE_PLAIN. */
enum rewrite_verdict rewrite_message(struct client *c, uint8_t type, uint32_t len, const uint8_t *body, size_t have,
				     struct rewrite_unnamed *unnamed, size_t *used);
/* There is no memory for it: ends the client; REWRITE_END. */
enum rewrite_verdict rewrite_fail(struct client *c, enum stmt_answer answer);
/* n bytes of a message whose body has len bytes and must be seen whole, but for Bind.  false: no memory for it, or none for all
 * that is announced; the client is closing. */
bool rewrite_keep_part(struct client *c, uint8_t type, size_t len, const uint8_t *p, size_t n);
void rewrite_drop_part(struct client *c);

#endif
