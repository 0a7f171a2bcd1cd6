/*
 * engine_sim.h - the third engine behind the seam of net/engine.h.
 *
 * A loop's turn is an event: it comes some time after something became ready,
 * looks at a random part of what is ready in a random order, reads and writes
 * random amounts.  Touching a conn out of its loop's turn is an error.
 */
#ifndef SIM_ENGINE_SIM_H
#define SIM_ENGINE_SIM_H

#include "net_sim.h"

#include "net/engine.h"

extern const struct engine_ops engine_sim_ops;

/* Where connections go: gives the socket (connect_err is set when the outcome is known, with on_ready
 * called then), or NULL and an errno.  Set by the scenario. */
extern struct nsock *(*engine_sim_dial)(const struct addr *to, const char *path, int *err);

/* Called at the end of every turn; may be NULL. */
extern void (*engine_sim_after_turn)(struct loop *loop);

/* In some later turn of loop: fn(loop, fd) takes the socket. */
void engine_sim_offer(struct loop *loop, struct nsock *s, void (*fn)(struct loop *loop, int fd));
/* In some later turn of loop: fn(loop, arg). */
void engine_sim_call(struct loop *loop, void (*fn)(struct loop *loop, void *arg), void *arg);
/* The first turn: the loop begins to live. */
void engine_sim_begin(struct loop *loop);

#endif
