/*
 * reckon.h - a login that waits until its keys have been computed (derive.h).
 *
 * The client's worker.  The client is paused meanwhile; then the same message is judged again.
 */
#ifndef SESSION_RECKON_H
#define SESSION_RECKON_H

#include "base/check.h"

struct client;
struct login;
struct reckon;

/* clientauth has said CLIENTAUTH_DERIVE to a message of n bytes, which are copied.  false: too many wait, or no memory. */
bool reckon_ask(struct client *c, const void *body, size_t n) FX_MUST_USE;
/* The login goes away; harmless if it does not wait. */
void reckon_forget(struct login *l);

#endif
