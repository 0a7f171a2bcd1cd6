/*
 * strangers.h - what is known of the addresses that connections come from, before they have proved who they are.
 *
 * One table for the process; any thread, under a lock of its own that is held for a few instructions.  Its size is
 * fixed: an address that finds no place is not followed, which harms nobody.  IPv6 counts by its /64, a Unix socket
 * by the uid of the peer.  Nothing in here refuses or forgets by itself: whoever asks does.  NULL is a table that
 * follows nobody.
 */
#ifndef SESSION_STRANGERS_H
#define SESSION_STRANGERS_H

#include "net/addr.h"

struct strangers;

/* How often something has happened since the start; add with strangers_count. */
enum strangers_counter {
	STRANGERS_REFUSED_ALL,	   /* for max_unauthenticated_percent */
	STRANGERS_REFUSED_ADDRESS, /* for max_unauthenticated_address_percent */
	STRANGERS_FAILED,	   /* proofs that were wrong */
	STRANGERS_DELAYED,	   /* logins that had to wait */
	STRANGERS_DELAYED_US,	   /* ... and how long, together */
	STRANGERS_TIMED_OUT,	   /* for client_login_timeout */
	STRANGERS_UNSEATED,	   /* stalled, and another needed the place: seat.c */
	STRANGERS_UNFOLLOWED,	   /* there was no place in the table */
	STRANGERS_COUNTERS,
};

#define STRANGERS_FREE 3		 /* failures that cost nothing: people mistype */
#define STRANGERS_FORGET_US (UINT64_C(10) * 1000000) /* one failure is forgotten every so often */
#define STRANGERS_FAILURES_MAX 18	 /* so that all is forgotten three minutes after the last */

struct strangers *strangers_new(void) FX_MUST_USE; /* NULL: no memory */
void strangers_free(struct strangers *s);

/* A connection has come.  max: most of one address at a time, 0: no limit.  false: there are so many, and this one is not
 * counted.  *place: for strangers_leave; 0 when it is not followed. */
bool strangers_enter(struct strangers *s, const struct addr *from, unsigned max, uint64_t now, uint16_t *place) FX_MUST_USE;
/* It has logged in or gone.  place 0 is fine. */
void strangers_leave(struct strangers *s, uint16_t place);
/* A proof was wrong.  Gives how many wrong ones are remembered, this one included. */
unsigned strangers_fail(struct strangers *s, const struct addr *from, uint64_t now);
/* How long a login from there has to wait: 0, longest, or a half, a quarter, an eighth of it. */
uint64_t strangers_delay(struct strangers *s, const struct addr *from, uint64_t longest, uint64_t now);

void strangers_count(struct strangers *s, enum strangers_counter counter, uint64_t n);
uint64_t strangers_counted(const struct strangers *s, enum strangers_counter counter);

struct strangers_row {
	struct addr from; /* IPv6: of the /64; unix: the uid */
	unsigned connected, failures;
};
/* Up to n rows of addresses of which something is known, from *at on (0 at first), which is moved; 0: no more. */
size_t strangers_read(struct strangers *s, size_t *at, struct strangers_row *row, size_t n, uint64_t now);

#endif
