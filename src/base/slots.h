/*
 * slots.h - handles: a table that turns (index, generation) into a live object.
 *
 * One thread.  Other threads hold handles, never pointers; a handle of a dead
 * object finds NULL.  A handle is never 0.  Generations of one index repeat
 * after 2^32 uses.
 */
#ifndef BASE_SLOTS_H
#define BASE_SLOTS_H

#include "base/check.h"

struct slot;

struct slots {
	struct slot *slot;
	uint32_t count, cap;
	uint32_t free; /* head of the free list, UINT32_MAX: none */
	uint32_t used;
};

void slots_init(struct slots *t);
void slots_fini(struct slots *t);
/* Borrows p until slots_remove.  0 when there is no memory. */
uint64_t slots_add(struct slots *t, void *p) FX_MUST_USE;
void *slots_get(const struct slots *t, uint64_t handle);
void slots_remove(struct slots *t, uint64_t handle);

#endif
