// SPDX-License-Identifier: MIT
/*
 * How latencies are spread: counts in bins of equal ratio, so that quantiles and gaps
 * of millions of pairs cost one look at each. Pure.
 */
#ifndef QMPIN_TOPO_SPREAD_H
#define QMPIN_TOPO_SPREAD_H

#include <stdint.h>

#include "base/attr.h"

/* Each bin is 2 % wide: finer than any measurement repeats. From 1 ns to 130 us; what
 * is beyond counts in the last bin. */
#define SPREAD_BINS 596u

struct spread {
	uint64_t n;
	uint32_t bins[SPREAD_BINS];
};

/** The bin of a latency (> 0). */
unsigned int spread_bin(float ns);

/** The latency in the middle of a bin, or between two (@bin + 0.5). */
float spread_ns(float bin);

void spread_add(struct spread *s, float ns);
void spread_add_all(struct spread *s, const struct spread *other);

/** The value that a share @q (0..1) lies at or below; 0 when there is none. */
float spread_quantile(const struct spread *s, float q);

/**
 * Steps: values with little around them between others with much. The clearest first,
 * at most @cap into @out. Returns how many.
 */
unsigned int spread_steps(const struct spread *s, float *out, unsigned int cap);

#endif
