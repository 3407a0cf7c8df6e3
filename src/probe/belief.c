// SPDX-License-Identifier: MIT
/*
 * Value and confidence of a pair from its visits. Each visit is itself a low quantile
 * of many bursts: what still differs is the moment, and a disturbed moment only ever
 * adds.
 */
#include "config.h"

#include "probe/belief.h"

/* Visits this far apart agree: moments on a quiet host differ by that much. */
#define AGREE_SPREAD 0.08f
/* Visits this far apart are worth no more than the least confidence. */
#define DIFFER_SPREAD 0.5f
#define DIFFER_WORTH 0.4f
/* Results that are wanted after a failure, at the most; a CPU that is busy all the time
 * must not be asked for ever. */
#define TRIES_MAX (2u * BELIEF_VISITS)

void
belief_add(struct belief *b, float ns)
{
	unsigned int i;

	if (!(ns > 0)) {
		if (b->failures < UINT8_MAX)
			b->failures++;
		return;
	}
	if (b->results == BELIEF_VISITS_MAX)
		return;
	for (i = b->results; i > 0 && b->ns[i - 1] > ns; i--)
		b->ns[i] = b->ns[i - 1];
	b->ns[i] = ns;
	b->results++;
}

float
belief_ns(const struct belief *b)
{
	return b->results == 0 ? 0 : b->ns[(b->results - 1) / 2];
}

float
belief_spread(const struct belief *b)
{
	unsigned int above = (b->results + 1u) / 2;

	if (b->results < 2)
		return 0;
	return (b->ns[above] - b->ns[0]) / belief_ns(b);
}

uint8_t
belief_confidence_pct(const struct belief *b)
{
	static const float by_number[BELIEF_VISITS + 1] = {0, 40, 60, 80, 100};
	unsigned int n = b->results < BELIEF_VISITS ? b->results : BELIEF_VISITS;
	float over = belief_spread(b) - AGREE_SPREAD;
	float worth = 1;

	if (over > 0)
		worth -= (1 - DIFFER_WORTH) * over / (DIFFER_SPREAD - AGREE_SPREAD);
	if (worth < DIFFER_WORTH)
		worth = DIFFER_WORTH;
	return (uint8_t)(by_number[n] * worth);
}

bool
belief_wants(const struct belief *b)
{
	if (belief_hopeless(b) || b->results + b->failures >= TRIES_MAX)
		return false;
	return b->results < BELIEF_VISITS ||
	       (b->results < BELIEF_VISITS_MAX && belief_spread(b) > 2 * AGREE_SPREAD);
}

bool
belief_hopeless(const struct belief *b)
{
	return b->results == 0 && b->failures >= BELIEF_FAILURES_MAX;
}
