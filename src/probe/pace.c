// SPDX-License-Identifier: MIT
/*
 * An account for each CPU: measuring is debited, the share of the time that passes pays
 * the debt off. Nobody is paid ahead, so the debt never falls below nothing; a CPU may
 * work as long as the next visit keeps its debt within PACE_SAVED_US. Over any window a
 * CPU so gives at most its share of it and PACE_SAVED_US, and where a visit takes
 * longer than the ones before it, that excess once.
 */
#include "config.h"

#include "probe/pace.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "base/xalloc.h"

struct pace {
	struct cpuset cpus;
	double cold_us;
	uint64_t start_us;
	/* What a visit may be expected to take: the longest one of late. */
	double visit_us;
	/* For each CPU the sum of earned time (see earned_us) at which its debt will
	 * have been paid off; in the past: there is none. */
	double paid_at[CPUSET_CAP];
};

struct pace *
pace_new(const struct cpuset *cpus, double cold_s, uint64_t now_us)
{
	struct pace *p = xcalloc(1, sizeof(*p));

	p->cpus = *cpus;
	p->cold_us = cold_s > 0 ? cold_s * 1e6 : 0;
	p->start_us = now_us;
	return p;
}

void
pace_free(struct pace *p)
{
	free(p);
}

/* What each CPU has earned from the start until @now_us, whether it was used or not. */
static double
earned_us(const struct pace *p, uint64_t now_us)
{
	double t = now_us > p->start_us ? (double)(now_us - p->start_us) : 0;

	if (t <= p->cold_us)
		return t * PACE_COLD_SHARE;
	return p->cold_us * PACE_COLD_SHARE + (t - p->cold_us) * PACE_LATER_SHARE;
}

/* When that much has been earned. */
static double
when_us(const struct pace *p, double earned)
{
	double cold = p->cold_us * PACE_COLD_SHARE;
	double t = earned <= cold ? earned / PACE_COLD_SHARE
				  : p->cold_us + (earned - cold) / PACE_LATER_SHARE;

	return (double)p->start_us + t;
}

/* How much has to be earned before the CPU may work again. */
static double
wanted_us(const struct pace *p, unsigned int cpu)
{
	return p->paid_at[cpu] + fmin(p->visit_us, PACE_SAVED_US) - PACE_SAVED_US;
}

struct cpuset
pace_resting(struct pace *p, uint64_t now_us)
{
	struct cpuset resting = CPUSET_NONE;
	double earned = earned_us(p, now_us);

	cpuset_foreach (cpu, &p->cpus)
		if (wanted_us(p, cpu) > earned)
			cpuset_add(&resting, cpu);
	return resting;
}

uint64_t
pace_next_us(struct pace *p, uint64_t now_us)
{
	double earned = earned_us(p, now_us);
	double least = INFINITY;

	cpuset_foreach (cpu, &p->cpus)
		if (wanted_us(p, cpu) > earned)
			least = fmin(least, wanted_us(p, cpu));
	if (isinf(least))
		return UINT64_MAX;
	/* one more than needed: rounding must not leave it resting at that time */
	return (uint64_t)ceil(when_us(p, least)) + 1;
}

void
pace_spend(struct pace *p, unsigned int cpu, uint64_t cpu_us, uint64_t now_us)
{
	double spent = (double)cpu_us;

	assert(cpu < CPUSET_CAP);
	p->paid_at[cpu] = fmax(p->paid_at[cpu], earned_us(p, now_us)) + spent;
	/* One long visit is soon forgotten: a sixteenth by each of the next. */
	p->visit_us = fmax(spent, p->visit_us - p->visit_us / 16);
}
