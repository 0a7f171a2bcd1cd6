/*
 * deadline.h - how long a client may stay in its state.
 *
 * The client's worker.
 */
#ifndef SESSION_DEADLINE_H
#define SESSION_DEADLINE_H

#include "session/client.h"

/* The client has entered its state now. */
void deadline_arm(struct client *c);
/* The settings have changed: the deadline of the state it is in, counted from when it entered it. */
void deadline_rearm(struct client *c);
/* For timeout_init. */
void deadline_on_due(struct timeout *t);

#endif
