/*
 * mailbox.h - messages into a loop from other threads (and from itself).
 *
 * mailbox_post may be called from any thread; delivery happens on the loop's
 * thread, in the order of posting by each sender.  A mail is an intrusive node:
 * posting gives it (and what it is embedded in) to the receiver.
 */
#ifndef NET_MAILBOX_H
#define NET_MAILBOX_H

#include "base/check.h"

#include <stdatomic.h>

struct loop;
struct mail;
typedef void mail_fn(struct loop *loop, struct mail *mail);

struct mail {
	struct mail *next;
	mail_fn *deliver; /* takes the mail */
};

struct mailbox {
	_Atomic(struct mail *) head; /* newest first */
};

void mailbox_init(struct mailbox *box);
/* true when the box was empty, so its loop must be woken */
bool mailbox_put(struct mailbox *box, struct mail *mail);
/* Delivers all that is there now; the loop's thread.  Returns how many. */
unsigned mailbox_drain(struct mailbox *box, struct loop *loop);
bool mailbox_is_empty(struct mailbox *box);

#endif
