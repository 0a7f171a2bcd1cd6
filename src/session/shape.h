/*
 * shape.h - what a client has been told about the rows of its statements.
 *
 * A client that has described a statement reads its rows by that, also after a
 * change of the table and on another server.  So it is remembered with the
 * client's name for the statement, and compared with what a server has before a
 * Bind (ensure_there); where it differs the client is told as PostgreSQL tells it.
 *
 * The client's worker, from rewrite.c and special.c.
 */
#ifndef SESSION_SHAPE_H
#define SESSION_SHAPE_H

#include "session/rewrite.h"

#define SHAPE_CHANGED "fx_changed" /* on the server: the name of a statement that is never there */

/* What a Bind of this statement must find on the server; ROWSHAPE_UNKNOWN: anything.  name: NULL for the unnamed one. */
uint64_t shape_wanted(const struct client *c, const struct statements_name *name);
/* name has just been bound to the portal. */
void shape_bound(struct client *c, struct statements_name *name, const struct prepared_entry *entry,
		 const uint8_t *portal, size_t n);
/* A Describe of a portal, whole.  REWRITE_PLAIN: nothing new is learnt from its answer. */
enum rewrite_verdict shape_describe_portal(struct client *c, const uint8_t *body, size_t len);
/* Notes a Bind or Describe of a statement; name: NULL for the unnamed one.  entry NULL: the server is made to fail here.
 * false: no memory, the client or the server is closing. */
bool shape_note_use(struct client *c, uint8_t type, struct statements_name *name,
		    struct prepared_entry *entry) FX_MUST_USE;
/* Notes whether the client knows its rows from before this request.  To be called behind the other. */
void shape_note_first(struct client *c, uint8_t type, struct statements_name *name);

#endif
