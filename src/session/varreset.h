/*
 * varreset.h - RESET, SET [LOCAL] ... TO DEFAULT and DISCARD ALL fall back to what the client gave at startup.
 *
 * PostgreSQL goes back to what the connection began with, which is ours.  So the
 * startup value is set again at the next ReadyForQuery at which nothing else is
 * owed, in front of whatever the client says then; reports of the value in between
 * are kept from the client, and it is told what holds in the end.
 *
 * The client's worker.
 */
#ifndef SESSION_VARRESET_H
#define SESSION_VARRESET_H

#include "session/client.h"

/* The client's statement has ended with this command tag. */
void varreset_on_tag(struct client *c, struct server *s, const char *tag);
/* The server reports another value of name, before it becomes the client's.  false: no memory. */
bool varreset_note(struct client *c, const struct server *s, const char *name) FX_MUST_USE;
/* Is that report not for the client? */
bool varreset_hushes(const struct client *c, const struct server *s, const char *name);
/* What we said has failed with this code: is that because a cancel of the client's has hit it, and may it be said again? */
bool varreset_may_repeat(struct client *c, const struct server *s, const char *sqlstate);
/* A ReadyForQuery of the client's is about to be forwarded. */
void varreset_on_ready(struct client *c, struct server *s, char status);

#endif
