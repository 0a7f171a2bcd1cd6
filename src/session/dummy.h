/*
 * dummy.h - statements of ours without a meaning, in place of the client's.
 *
 * On the server a statement of the client's has a name of ours and may be used by
 * others.  Where PostgreSQL itself must do something to the client's name, it does
 * that to one that was made for it right in front.
 *
 * The client's worker, from rewrite.c.
 */
#ifndef SESSION_DUMMY_H
#define SESSION_DUMMY_H

#include "session/rewrite.h"

#define DUMMY_CLASH "fx_twice" /* on the server: a name that is there, to be told that it is */
#define DUMMY_GONE "fx_gone"   /* a name that is there, to be deallocated */

/* A Parse of a name that is taken, whose body ends with these bytes.  The server is made to say so: only its error leaves
 * the transaction as it must be. */
enum rewrite_verdict dummy_parse_again(struct client *c, struct server *s, struct statements_name *name,
				       const uint8_t *rest, size_t n);
/* The text of a Query is DEALLOCATE of a statement of the client's; see doomed.h for the extended protocol. */
enum rewrite_verdict dummy_deallocate(struct client *c, struct server *s, const struct statements_name *name);

#endif
