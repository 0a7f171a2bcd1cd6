/*
 * vault.h - memory for passwords and keys: never swapped out, never in a core dump, wiped when given back.
 *
 * Any thread, under one lock for a few instructions.  For what lives long or is worth stealing, not for what a stranger
 * can have as often as he likes: the system lets a process lock little (RLIMIT_MEMLOCK), and what is beyond that is
 * kept out of dumps and wiped all the same.  Pages once taken stay.
 */
#ifndef BASE_VAULT_H
#define BASE_VAULT_H

#include "base/check.h"

/* Zeroed.  Aborts without memory. */
void *vault_alloc(size_t size) FX_MUST_USE;
/* Takes p and wipes it; size is what was asked for.  NULL is fine. */
void vault_free(void *p, size_t size);
/* After a fork, in the child: locks are not inherited. */
void vault_lock_again(void);

struct vault_usage {
	size_t bytes;	 /* of pages taken */
	size_t unlocked; /* of these, could not be locked */
	int error;	 /* why, an errno; 0: all are locked */
};
void vault_get_usage(struct vault_usage *out);

#endif
