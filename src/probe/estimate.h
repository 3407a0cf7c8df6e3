// SPDX-License-Identifier: MIT
/* From the timed batches of a visit to one latency. Pure. */
#ifndef QMPIN_PROBE_ESTIMATE_H
#define QMPIN_PROBE_ESTIMATE_H

#include <stddef.h>
#include <stdint.h>

/**
 * One-way latency, nanoseconds.
 *
 * @batch_ns  what each batch of round trips took; @n of them, sorted afterwards
 * @rounds    round trips in a batch, not 0
 *
 * Returns a number above 0, or 0: there is none.
 */
float estimate_one_way_ns(uint32_t *batch_ns, size_t n, unsigned int rounds);

#endif
