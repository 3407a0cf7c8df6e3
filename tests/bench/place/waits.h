// SPDX-License-Identifier: MIT
/*
 * Waiting when only some VMs are busy: what cannot run in a draw though it could if
 * every VM were spread over its whole limit.
 */
#ifndef QMPIN_BENCH_WAITS_H
#define QMPIN_BENCH_WAITS_H

#include <stddef.h>

#include "site.h"

/* A VM is busy with each of these chances in percent. */
#define WAITS_CHANCES          \
	{                      \
		10, 20, 30, 50 \
	}
#define WAITS_N_CHANCES 4u

/**
 * @seed  of the draws; the same VMs are busy whatever their masks
 * @each  draws for each chance
 * @out   WAITS_N_CHANCES * @each shares of the busy VMs' demand, ascending
 */
void waits_draw(const struct site *s, uint64_t seed, unsigned int each, float *out);

double waits_mean(const float *shares, size_t n);

/** The value below which 95 % of @n ascending ones are, between the nearest two. */
double waits_p95(const float *ascending, size_t n);

#endif
