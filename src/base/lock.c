/*
 * lock.c - the one mutual exclusion in the tree.
 */
#include "base/lock.h"

void lock_init(struct lock *l)
{
	CHECK(pthread_mutex_init(&l->mutex, NULL) == 0);
}

void lock_fini(struct lock *l)
{
	CHECK(pthread_mutex_destroy(&l->mutex) == 0);
}

void lock_take(struct lock *l)
{
	CHECK(pthread_mutex_lock(&l->mutex) == 0);
}

void lock_drop(struct lock *l)
{
	CHECK(pthread_mutex_unlock(&l->mutex) == 0);
}
