/*
 * ensure.h - that a server has a statement, and no more of them than it may.
 *
 * What has to be said in front of the client's message is noted as ours and sent.
 * The client's worker, from rewrite.c and unnamed.c.
 */
#ifndef SESSION_ENSURE_H
#define SESSION_ENSURE_H

#include "session/rewrite.h"

/* REWRITE_SENT: the statement is there when what comes next is read, *entry is it; else STALL or END. */
enum rewrite_verdict ensure_there(struct client *c, struct server *s, struct stmt *stmt, struct prepared_entry **entry);
/* Prepares it, and makes room for it; flags: of the Parse in the expectation queue.  false: the server ends. */
bool ensure_parse(struct client *c, struct server *s, const struct stmt *stmt, uint8_t flags);
/* In place of a Parse of what the server has already: a Close of what is not there keeps the place of the answer. */
bool ensure_parsed_again(struct server *s, uint8_t flags);
/* Closes it. */
bool ensure_closed(struct server *s, struct prepared_entry *entry);

/* Appends a Parse for this name, whose body ends with these bytes. */
void ensure_put_parse(struct buf *out, const char *name, const void *rest, size_t n);
/* Sends and frees out; false: it has no memory, the server ends. */
bool ensure_send(struct server *s, struct buf *out);

#endif
