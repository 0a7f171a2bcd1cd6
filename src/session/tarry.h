/*
 * tarry.h - logins from an address with wrong passwords behind it wait a moment before they are looked at.
 *
 * The client's worker, state AUTH.  Right or wrong, known or not: all logins of that address wait alike, so that the wait
 * tells nothing, and never longer than auth_failure_delay.  Nobody is refused for it.
 */
#ifndef SESSION_TARRY_H
#define SESSION_TARRY_H

#include "session/client.h"

/* true: it waits, paused; admit_again comes, unless tarry_end does. */
bool tarry_begin(struct client *c) FX_MUST_USE;
/* The login goes away; harmless when it does not wait. */
void tarry_end(struct login *l);
/* Its proof was wrong. */
void tarry_failed(struct client *c);

#endif
