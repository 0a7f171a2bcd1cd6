/*
 * varreset.h - RESET, SET [LOCAL] ... TO DEFAULT and DISCARD ALL fall back to what the client gave at startup.
 *
 * PostgreSQL goes back to what the connection began with, which is ours.  So the
 * startup value is set again at the next ReadyForQuery at which nothing else is
 * owed, in front of whatever the client says then; reports of the value in between
 * are kept from the client, and it is told what holds in the end.  A cancel of the
 * client's that is late would hit what we say instead of the RESET: while one is out,
 * that is put off until the client goes on, and what it goes on with waits for the
 * end of the cancel.
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
/* Does what was put off (client->is_unsaid) still have to wait? */
bool varreset_must_wait(const struct client *c, const struct server *s);
/* Says it, in front of the client's next message.  false: no memory, the client is closing. */
bool varreset_catch_up(struct client *c, struct server *s) FX_MUST_USE;
/* The client has another server now, which is told in its own way. */
void varreset_drop(struct client *c);

#endif
