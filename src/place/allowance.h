// SPDX-License-Identifier: MIT
/*
 * How many VMs and vCPUs rebalance may still move: two token buckets over time, which
 * the caller keeps and gives to each plan. The time is an argument, any clock. Pure.
 */
#ifndef QMPIN_PLACE_ALLOWANCE_H
#define QMPIN_PLACE_ALLOWANCE_H

#include "place/planner.h"

struct allowance {
	double vms;
	double vcpus;
	double at_s; /* when it was last brought up to date; PLAN_NEVER_S: never */
};

/** Nothing saved, never used. */
struct allowance allowance_new(void);

/**
 * What has been saved by @now_s at @vms_per_min and @vcpus_per_min: into
 * @p->rebalance_vms and _vcpus. Never more than ten minutes' worth, and at least one VM
 * and the vCPUs of a small one can be saved however low the rates; a rate of 0 saves
 * nothing. A clock that goes back saves nothing.
 */
void allowance_give(struct allowance *a, double now_s, double vms_per_min,
	double vcpus_per_min, struct plan_policy *p);

/** Take what the plan's rebalanced VMs used. */
void allowance_take(
	struct allowance *a, const struct plan_input *in, const struct plan *p);

#endif
