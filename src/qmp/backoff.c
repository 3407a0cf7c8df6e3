// SPDX-License-Identifier: MIT
/* Exponential back-off with jitter; who rolls the dice is the caller's matter. Pure. */
#include "config.h"

#include "qmp/backoff.h"

uint64_t
backoff_ms(unsigned int failures, unsigned int min_ms, unsigned int max_ms,
	uint32_t random)
{
	uint64_t ms = min_ms;

	for (unsigned int i = 1; i < failures && ms < max_ms; i++)
		ms *= 2;
	if (ms > max_ms)
		ms = max_ms;
	return ms + random % (ms / 4 + 1);
}

uint64_t
backoff_queue_ms(uint32_t random)
{
	return 100 + random % 151;
}
