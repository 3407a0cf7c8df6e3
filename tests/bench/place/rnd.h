// SPDX-License-Identifier: MIT
/* Random numbers: the same for a seed everywhere. Source: xorshift64* (Vigna 2016). */
#ifndef QMPIN_BENCH_RND_H
#define QMPIN_BENCH_RND_H

#include <stdint.h>

struct rnd {
	uint64_t state;
};

static inline uint64_t
rnd_next(struct rnd *r)
{
	r->state ^= r->state >> 12;
	r->state ^= r->state << 25;
	r->state ^= r->state >> 27;
	return r->state * UINT64_C(2685821657736338717);
}

/* Any seed, also 0 and neighbours of another. */
static inline struct rnd
rnd_new(uint64_t seed)
{
	struct rnd r = {(seed + 1) * UINT64_C(0x9e3779b97f4a7c15) | 1};

	for (unsigned int i = 0; i < 4; i++)
		(void)rnd_next(&r);
	return r;
}

/* 0 to @n - 1 */
static inline unsigned int
rnd_below(struct rnd *r, unsigned int n)
{
	return (unsigned int)((rnd_next(r) >> 33) % n);
}

/* 0 <= x < 1 */
static inline double
rnd_share(struct rnd *r)
{
	return (double)(rnd_next(r) >> 11) / 0x1p53;
}

#endif
