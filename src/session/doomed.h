/*
 * doomed.h - portals that end a statement of the client's when they are executed.
 *
 * DEALLOCATE name by the extended protocol.  PostgreSQL does not know the client's
 * name, so what is bound is DEALLOCATE of one of ours, and that one is made right
 * in front of the Execute.  The client's name ends when, and only when, PostgreSQL
 * has done it.
 *
 * The client's worker, from rewrite.c.
 */
#ifndef SESSION_DOOMED_H
#define SESSION_DOOMED_H

#include "session/rewrite.h"

struct doomed;

/* Is this text DEALLOCATE of a name that the client has given, or may have when what was sent is answered?  NULL: no. */
struct statements_name *doomed_find(const struct client *c, const uint8_t *text, size_t n);
/* A portal of this name is about to be bound to stmt: gives what is to be bound, stmt or what stands in for it (lent until
 * the next).  NULL: no memory, the client is closing. */
struct stmt *doomed_bind(struct client *c, struct stmt *stmt, const uint8_t *portal, size_t n);
/* The portal of this name is closed. */
void doomed_close(struct statements *st, const uint8_t *portal, size_t n);
/* An Execute, whole. */
enum rewrite_verdict doomed_execute(struct client *c, const uint8_t *body, size_t len);
/* The client's name for DUMMY_GONE in the text of an error; NULL: none. */
const char *doomed_name(const struct statements *st);
/* There are no portals any more. */
void doomed_end(struct statements *st);

#endif
