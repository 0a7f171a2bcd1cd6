/*
 * ensure.h - that a server has a statement, and no more of them than it may.
 *
 * What has to be said in front of the client's message is noted as ours and sent.
 * The client's worker, from rewrite.c and unnamed.c.
 */
#ifndef SESSION_ENSURE_H
#define SESSION_ENSURE_H

#include "session/rewrite.h"

/* REWRITE_SENT: the statement is there when what comes next is read, *entry is it; else STALL or END.  shape: what the
 * client goes by, of which the server must be known to have the same before anything is executed; ROWSHAPE_UNKNOWN: it
 * goes by nothing.  REWRITE_SENT and no *entry: the rows are others now, and the client must be told. */
enum rewrite_verdict ensure_there(struct client *c, struct server *s, struct stmt *stmt, uint64_t shape,
				  struct prepared_entry **entry);
/* Prepares it, and makes room for it; flags: of the Parse in the expectation queue.  false: the server ends. */
bool ensure_parse(struct client *c, struct server *s, const struct stmt *stmt, uint8_t flags);
/* Who parses anew, maybe because it was told that its statement is out of date, must not get this one. */
bool ensure_is_old(const struct client *c, const struct prepared_entry *entry);
/* In place of a Parse of what the server has already: a Close of what is not there keeps the place of the answer. */
bool ensure_parsed_again(struct server *s, uint8_t flags);
/* Closes it. */
bool ensure_closed(struct server *s, struct prepared_entry *entry);

/* Appends a Parse for this name, whose body ends with these bytes. */
void ensure_put_parse(struct buf *out, const char *name, const void *rest, size_t n);
/* Sends and frees out; false: it has no memory, the server ends. */
bool ensure_send(struct server *s, struct buf *out);

#endif
