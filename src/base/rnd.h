/*
 * rnd.h - chance.  rnd_secure is for everything an attacker would like to guess
 * (salts, nonces, cancel keys); struct rnd is a small seeded generator for
 * jitter, spreading and the simulator, and is never a source of secrets.
 */
#ifndef BASE_RND_H
#define BASE_RND_H

#include "base/check.h"

/* Any thread.  Fills with bytes of the kernel's generator; aborts if it has none. */
void rnd_secure(void *out, size_t n);

struct rnd {
	uint64_t s[2];
};

void rnd_seed(struct rnd *r, uint64_t seed);
uint64_t rnd_next(struct rnd *r);
/* uniform in [0, n); n > 0 */
uint64_t rnd_below(struct rnd *r, uint64_t n);

#endif
