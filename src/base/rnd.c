/*
 * rnd.c - getrandom(2) for secrets, xorshift128+ seeded by splitmix64 for the rest.
 */
#include "base/rnd.h"

#include <errno.h>
#include <sys/random.h>

void rnd_secure(void *out, size_t n)
{
	uint8_t *p = out;

	while (n > 0) {
		ssize_t got = getrandom(p, n, 0);

		if (got < 0 && errno == EINTR)
			continue;
		CHECK(got > 0);
		p += got;
		n -= (size_t)got;
	}
}

static uint64_t rnd_split(uint64_t *x)
{
	uint64_t z = (*x += UINT64_C(0x9E3779B97F4A7C15));

	z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
	return z ^ (z >> 31);
}

void rnd_seed(struct rnd *r, uint64_t seed)
{
	r->s[0] = rnd_split(&seed);
	r->s[1] = rnd_split(&seed) | 1;
}

uint64_t rnd_next(struct rnd *r)
{
	uint64_t a = r->s[0], b = r->s[1];

	r->s[0] = b;
	a ^= a << 23;
	r->s[1] = a ^ b ^ (a >> 18) ^ (b >> 5);
	return r->s[1] + b;
}

uint64_t rnd_below(struct rnd *r, uint64_t n)
{
	CHECK(n > 0);
	/* the bias of % is below 2^-32 for every n we use */
	return rnd_next(r) % n;
}
