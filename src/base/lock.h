/*
 * lock.h - the one mutual exclusion in the tree (a thin coat over a pthread mutex).
 *
 * Held for a few instructions only: never across a system call, a callback or
 * another lock, except where a header says otherwise.
 */
#ifndef BASE_LOCK_H
#define BASE_LOCK_H

#include "base/check.h"

#include <pthread.h>

struct lock {
	pthread_mutex_t mutex;
};

void lock_init(struct lock *l);
void lock_fini(struct lock *l);
void lock_take(struct lock *l);
void lock_drop(struct lock *l);

#endif
