// SPDX-License-Identifier: MIT
/* The account of rebalance. */
#include "config.h"

#include "place/allowance.h"

struct allowance
allowance_new(void)
{
	return (struct allowance){.at_s = PLAN_NEVER_S};
}

void
allowance_give(struct allowance *a, double now_s, double vms_per_min,
	double vcpus_per_min, struct plan_policy *p)
{
	(void)vms_per_min;
	(void)vcpus_per_min;
	a->at_s = now_s;
	p->rebalance_vms = 0;
	p->rebalance_vcpus = 0;
}

void
allowance_take(struct allowance *a, const struct plan_input *in, const struct plan *p)
{
	(void)a;
	(void)in;
	(void)p;
}
