// SPDX-License-Identifier: MIT
/*
 * How many VMs and vCPUs rebalance may still move: two token buckets over time, which
 * the caller keeps and gives to each plan. The time is an argument, any clock. Pure.
 *
 * From the first call on no more is moved than the rates allow for the time that has
 * passed. Ten minutes' worth can be saved; more only where the largest VM needs more
 * vCPUs than that to be moved at all: it moves when nothing smaller was worth it for
 * as long as its size takes at the rate.
 */
#ifndef QMPIN_PLACE_ALLOWANCE_H
#define QMPIN_PLACE_ALLOWANCE_H

#include "place/planner.h"

struct allowance {
	double vms; /* saved; negative: a plan used more than it was given */
	double vcpus;
	double at_s; /* the latest time that was seen; PLAN_NEVER_S: none */
	/* vCPUs of the largest VM of the last plan that rebalance may move. */
	unsigned int largest_vcpus;
};

/** Nothing saved, never used. */
struct allowance allowance_new(void);

/**
 * What has been saved by @now_s at @vms_per_min and @vcpus_per_min: into
 * @p->rebalance_vms and _vcpus. The first call only starts the clock. Never more than
 * ten minutes' worth, but at least one VM and the vCPUs of the largest one (of a small
 * one when there was no plan yet) can be saved however low the rates; a rate of 0 saves
 * nothing and drops what was saved. A clock that goes back saves nothing until it is
 * where it was.
 */
void allowance_give(struct allowance *a, double now_s, double vms_per_min,
	double vcpus_per_min, struct plan_policy *p);

/** After each plan: take what its rebalanced VMs used (vCPUs as in moves.h), and
 * remember its largest VM. */
void allowance_take(
	struct allowance *a, const struct plan_input *in, const struct plan *p);

#endif
