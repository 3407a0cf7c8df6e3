// SPDX-License-Identifier: MIT
/*
 * The objective of masks that VMs have, whoever made them: for comparing a placement
 * with another one, and the planner with what would be best. Pure.
 */
#ifndef QMPIN_PLACE_SCORE_H
#define QMPIN_PLACE_SCORE_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"
#include "place/objective.h"

/* The objective of what VMs have. */
struct score {
	/* Mean over the vCPUs that planned VMs want to run (demand). Waiting is that of
	 * all VMs together, beyond what limits force. */
	struct terms terms;
	double total_ns;
	double wait_mean; /* burst model, see plan_policy */
	double wait_tail;
	bool waits_ok; /* within the policy's bounds */
};

/**
 * Judge the masks that VMs have (plan_vm.current; a VM without any: its limit), whoever
 * made them, by the same objective that the planner minimises.
 *
 * CPUs that nobody may use do not count in a mask; a vCPU without a mask, or with no
 * other CPUs, is taken to be wherever it may. Memory whose place is not known is where
 * the vCPUs are, whatever is free there. What moving would cost is not in it.
 *
 * Returns 0 or -EINVAL as planner_run.
 */
MUST_CHECK int score_masks(
	const struct plan_input *in, struct score *out, struct err *e);

#endif
