/*
 * secret.h - the one holder of passwords and keys.
 *
 * One owner.  The bytes live in the vault (vault.h): not swapped, not in core dumps,
 * wiped when dropped; never printed, and compared in constant time.
 */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include "base/check.h"

struct secret {
	uint8_t *data; /* NUL-terminated for the convenience of C strings; NULL: none */
	size_t len;    /* without that NUL */
};

/* Copies; the caller's bytes stay the caller's to wipe.  s must be empty or initialised to zero. */
void secret_set(struct secret *s, const void *p, size_t n);
/* Wipes and frees; s is empty afterwards. */
void secret_drop(struct secret *s);
/* Moves from into to (to is dropped first). */
void secret_move(struct secret *to, struct secret *from);
/* Constant time in the length of b; false when the lengths differ. */
bool secret_is_equal(const void *a, size_t a_len, const void *b, size_t b_len);
/* Overwrites memory in a way the compiler keeps. */
void secret_wipe(void *p, size_t n);
/* Overwrites 64 KiB of this thread's stack beyond the caller: what libraries have left of passwords that went through them. */
void secret_wipe_stack(void);

#endif
