// SPDX-License-Identifier: MIT
/* A budget of repairs, and how long to give way when it is used up. */
#include "config.h"

#include "daemon/patience.h"

#define US_PER_HOUR 3.6e9
/* Repairs that a trial after giving way may take before it has failed. */
#define TRIAL 2.0

static void
refill(struct patience *p, uint64_t now_us)
{
	p->used -= (double)(now_us - p->used_us) * PATIENCE_PER_HOUR / US_PER_HOUR;
	p->used_us = now_us;
	/* half of it back: whoever it was has been quiet for hours */
	if (p->used < PATIENCE_BURST / 2.0)
		p->peace_us = 0;
	if (p->used > 0)
		return;
	p->used = 0;
	p->spent = 0;
	p->began_us = now_us;
}

static uint64_t
longer(uint64_t peace_us)
{
	if (peace_us == 0)
		return PATIENCE_PEACE_US;
	return peace_us * 2 < PATIENCE_PEACE_MAX_US ? peace_us * 2
						    : PATIENCE_PEACE_MAX_US;
}

uint64_t
patience_spend(struct patience *p, uint64_t now_us)
{
	refill(p, now_us);
	p->used += 1.0;
	p->spent++;
	if (p->used <= PATIENCE_BURST - 1.0)
		return 0;
	p->peace_us = longer(p->peace_us);
	return p->peace_us;
}

void
patience_try(struct patience *p, uint64_t now_us)
{
	p->used = PATIENCE_BURST - TRIAL;
	p->used_us = now_us;
	p->spent = 0;
	p->began_us = now_us;
}
