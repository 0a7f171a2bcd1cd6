/*
 * gather.h - one question to all workers, one answer back: broadcast and join.
 *
 * Asked on the control thread, run on every worker's thread, joined on the
 * control thread again when the last worker is done.  Nobody waits.
 */
#ifndef REPORT_GATHER_H
#define REPORT_GATHER_H

#include "session/worker.h"

struct gather_ops {
	/* On the worker's thread; i is its index, arg what gather_start was given: parts of different workers must not
	 * touch the same memory. */
	void (*part)(struct worker *w, unsigned i, void *arg);
	/* On the control thread, once, after all parts; takes arg. */
	void (*joined)(void *arg);
};

/* The control thread.  Takes arg, gives it to joined, never before this returns (n may be 0). */
void gather_start(
	struct loop *control, struct worker **workers, unsigned n, const struct gather_ops *ops, void *arg);

#endif
