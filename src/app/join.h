/*
 * join.h - orders to workers that the control thread waits for.
 *
 * The control thread only, while the workers run.  fn must be short.  Nothing on
 * a worker ever waits for the control thread, so this always comes to an end.
 */
#ifndef APP_JOIN_H
#define APP_JOIN_H

#include "session/worker.h"

/* Runs fn on the worker's thread and returns when it has run. */
void join_call(struct worker *w, void (*fn)(struct worker *w, void *arg), void *arg);
/* On all workers, at the same time. */
void join_call_all(struct worker **workers, unsigned n, void (*fn)(struct worker *w, void *arg), void *arg);

#endif
