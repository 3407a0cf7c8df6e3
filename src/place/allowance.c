// SPDX-License-Identifier: MIT
/* The account of rebalance. */
#include "config.h"

#include "place/allowance.h"

#include <math.h>

#include "place/moves.h"

#define SAVED_MIN 10.0	/* minutes' worth */
#define SMALL_VCPUS 4.0 /* a small VM */
#define RATE_MAX 1e6	/* as good as no limit; keeps the numbers finite */
#define ROUNDING                                                             \
	1e-6 /* ten times a tenth of a VM is one; what is too much is a debt \
	      */

struct allowance
allowance_new(void)
{
	return (struct allowance){.at_s = PLAN_NEVER_S};
}

/* What there is of one bucket after @minutes more. */
static double
saved(double had, double minutes, double per_min, double at_least)
{
	double rate;

	if (!(per_min > 0)) /* also not a number */
		return fmin(had, 0);
	rate = fmin(per_min, RATE_MAX);
	return fmin(had + rate * minutes, fmax(rate * SAVED_MIN, at_least));
}

static unsigned int
whole(double tokens)
{
	return tokens > 0 ? (unsigned int)(tokens + ROUNDING) : 0;
}

void
allowance_give(struct allowance *a, double now_s, double vms_per_min,
	double vcpus_per_min, struct plan_policy *p)
{
	double minutes = 0;

	if (now_s > a->at_s) {
		if (a->at_s > PLAN_NEVER_S)
			minutes = (now_s - a->at_s) / 60;
		a->at_s = now_s;
	}
	a->vms = saved(a->vms, minutes, vms_per_min, 1);
	a->vcpus = saved(
		a->vcpus, minutes, vcpus_per_min, fmax(SMALL_VCPUS, a->largest_vcpus));
	p->rebalance_vms = whole(a->vms);
	p->rebalance_vcpus = whole(a->vcpus);
}

void
allowance_take(struct allowance *a, const struct plan_input *in, const struct plan *p)
{
	a->largest_vcpus = 0;
	for (unsigned int i = 0; i < p->n; i++) {
		const struct plan_result *r = &p->results[i];

		if (r->verdict == PLAN_LEAVE || !r->apply)
			continue;
		if (r->n_vcpus > a->largest_vcpus)
			a->largest_vcpus = r->n_vcpus;
		if (!r->rebalanced)
			continue;
		a->vms -= 1;
		a->vcpus -= moves_of(&in->vms[i], r, &in->topo->online).moved;
	}
}
