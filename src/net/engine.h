/*
 * engine.h - the seam between conns and how their I/O happens.
 *
 * Three stand behind it: libev (engine_ev.c), io_uring (later), and the
 * simulator of the tests.  All calls come from the loop's thread, but for wake.
 * An engine calls conn_input, conn_input_end, conn_output_done, conn_connected,
 * loop_turn_begin and loop_turn_end, and nothing else of the house.
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
	void (*detach)(struct conn *c);
	void (*interest)(struct conn *c); /* conn_wants_read or is_blocked changed */
	void (*flush)(struct conn *c);	  /* write the queue as far as possible */
	/* Begins to connect; 0, or an errno.  Sets c->fd. */
	int (*connect)(struct conn *c, const struct addr *to, const char *path);
	void (*shutdown)(struct conn *c); /* end our direction; the queue is empty, reading goes on */
	void (*close)(struct conn *c);
	int (*listen)(struct listener *l); /* watch l->fd for connections */
	void (*unlisten)(struct listener *l);
};

extern const struct engine_ops engine_ev_ops;

#endif
