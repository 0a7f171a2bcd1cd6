/*
 * unnamed.h - the unnamed prepared statement of a client.
 *
 * Most are bound in the batch that parses them, and nothing is kept.  One that is
 * not (Parse, Describe, Sync; later Bind) is remembered, and parsed anew where the
 * client's next server is another; what a former client has left there is never used.
 *
 * The client's worker.
 */
#ifndef SESSION_UNNAMED_H
#define SESSION_UNNAMED_H

#include "session/rewrite.h"

/* The batch, or the slice, ends and an unnamed Parse has not been bound: it is remembered. */
void unnamed_keep(struct client *c, struct rewrite_unnamed *unnamed);
/* It is closed, or replaced. */
void unnamed_drop(struct client *c, struct rewrite_unnamed *unnamed);
/* The record of the request begins or ends: what it was before is not needed any more. */
void unnamed_settle(struct statements *st);
/* The request is said anew from its first byte: it is what it was then. */
void unnamed_rewind(struct statements *st);
/* reuse_unnamed_statements: a Parse of these bytes (after the name).  SENT: served by a statement that the server has
 * under our name, or will have from now on; PLAIN: it goes as it is. */
enum rewrite_verdict unnamed_reuse(struct client *c, struct server *s, const uint8_t *rest, size_t n);
/* Its Parse that unnamed_reuse has served, said anew, of which the client must not hear again. */
enum rewrite_verdict unnamed_again(struct client *c, const uint8_t *rest, size_t n);
/* The server has said an error: it may have been the last one's, or it was skipped. */
void unnamed_on_error(struct client *c, const struct server *s);
/* Bind or Describe: PLAIN, STALL or END. */
enum rewrite_verdict unnamed_use(struct client *c, struct server *s, struct rewrite_unnamed *unnamed);
/* Bytes of the body of an unnamed Parse that comes in pieces, as they pass by. */
void unnamed_tee(struct client *c, const uint8_t *p, size_t n);

#endif
