// SPDX-License-Identifier: MIT
/* How long to wait after failures. Pure. */
#ifndef QMPIN_QMP_BACKOFF_H
#define QMPIN_QMP_BACKOFF_H

#include <stdint.h>

/**
 * @min_ms doubled for each failure after the first, at most @max_ms, and up to a
 * quarter more by @random, so that many VMs that failed together are not tried
 * together.
 *
 * @failures  in a row, at least 1
 */
uint64_t backoff_ms(unsigned int failures, unsigned int min_ms, unsigned int max_ms,
	uint32_t random);

/**
 * How long to wait when the socket's queue is full: somebody else is being served,
 * which is no failure. 100 to 250 ms by @random: Proxmox tries again every 100 ms, and
 * who comes back sooner takes one of the two places in the queue from it.
 */
uint64_t backoff_queue_ms(uint32_t random);

#endif
