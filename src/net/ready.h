/*
 * ready.h - conns for which something has happened and whose turn has not come yet.
 *
 * For engines that are told in another order than the kernel's: what is put first
 * comes out last.  One thread: the loop's.  A conn that is closed or leaves its
 * loop meanwhile is forgotten by its slot, so nobody meets a conn that is gone.
 */
#ifndef NET_READY_H
#define NET_READY_H

#include "base/mem.h"

struct conn;

struct ready_event {
	struct conn *conn; /* NULL: forgotten */
	int what;	   /* the engine's own word for it */
};

struct ready {
	struct ready_event *events;
	uint32_t count, room;
};

void ready_init(struct ready *r);
void ready_fini(struct ready *r);
/* Borrows c until it comes out or is forgotten.  Gives its slot; 0: no memory, nothing was put. */
uint32_t ready_put(struct ready *r, struct conn *c, int what) FX_MUST_USE;
/* 0 is fine. */
void ready_forget(struct ready *r, uint32_t slot);
/* The newest of those that are left: its conn (whose slot is void now), or NULL when nothing is left. */
struct conn *ready_next(struct ready *r, int *what) FX_MUST_USE;

#endif
