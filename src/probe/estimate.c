// SPDX-License-Identifier: MIT
/*
 * What disturbs a batch (interrupts, the other threads of a core, other traffic on the
 * way) only ever makes it longer, so the truth is at the low end; the very lowest is
 * left out where there are enough, since a clock may be read late. Pure.
 */
#include "config.h"

#include "probe/estimate.h"

#include <stdlib.h>

/*
 * The share of batches that may lie below. Measured on two CPUs, 80 visits of 64
 * batches, standard deviation of the visits idle and busy: lowest 1.1 and 1.0 %, a
 * tenth 0.6 and 0.7 %, a quarter 0.7 and 0.5 %, half 1.6 and 1.2 %. The lines of one
 * visit differ (their homes are not in one place), and half of them may be far ones.
 */
#define ESTIMATE_BELOW_PCT 10u

static int
compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a;
	uint32_t y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

float
estimate_one_way_ns(uint32_t *batch_ns, size_t n, unsigned int rounds)
{
	if (n == 0)
		return 0;
	qsort(batch_ns, n, sizeof(*batch_ns), compare);
	return (float)batch_ns[n * ESTIMATE_BELOW_PCT / 100u] / (2.0F * (float)rounds);
}
