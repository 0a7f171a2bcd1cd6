/*
 * engine.h - the seam between conns and how their I/O happens.
 *
 * Three stand behind it: libev (engine_ev.c), io_uring (engine_uring.c), and
 * the simulator of the tests.  All calls come from the loop's thread, but for wake.
 * An engine calls what conn.h, loop.h and listener.h have for engines, and nothing
 * else of the house.
 */
#ifndef NET_ENGINE_H
#define NET_ENGINE_H

#include "net/conn.h"

struct loop;
struct listener;

struct engine_ops {
	const char *name;
	int (*init)(struct loop *loop);
	void (*fini)(struct loop *loop);
	void (*run)(struct loop *loop); /* until loop_stop */
	void (*stop)(struct loop *loop);
	void (*wake)(struct loop *loop); /* any thread */
	void (*set_timer)(struct loop *loop, uint64_t due); /* microseconds of loop_now's clock; 0: none */
	uint64_t (*now)(struct loop *loop);
	int (*attach)(struct conn *c); /* watch c->fd for reading */
	void (*detach)(struct conn *c); /* tells stray.h of bytes that it has */
	void (*interest)(struct conn *c); /* conn_wants_read or is_blocked changed */
	/* Writes the queue as far as possible: at the latest right after loop_turn_end; or before it returns. */
	void (*flush)(struct conn *c);
	void (*push)(struct conn *c);
	/* Begins to connect; 0, or an errno.  Sets c->fd. */
	int (*connect)(struct conn *c, const struct addr *to, const char *path);
	void (*shutdown)(struct conn *c); /* end our direction; the queue is empty, reading goes on */
	void (*close)(struct conn *c);
	int (*listen)(struct listener *l); /* watch l->fd for connections */
	void (*unlisten)(struct listener *l);
};

extern const struct engine_ops engine_ev_ops;
extern const struct engine_ops engine_uring_ops; /* with HAVE_LIBURING; only where engine_pick has found it fit */

#endif
