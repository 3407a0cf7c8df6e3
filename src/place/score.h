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
	struct terms terms; /* mean over all vCPUs of planned VMs */
	double total_ns;
	double wait_mean; /* burst model, see plan_policy */
	double wait_tail;
	bool waits_ok; /* within the policy's bounds */
};

/**
 * Judge the masks that VMs have (plan_vm.current; a VM without any: its limit), whoever
 * made them, by the same objective that the planner minimises.
 *
 * Returns 0 or -EINVAL as planner_run.
 */
MUST_CHECK int score_masks(
	const struct plan_input *in, struct score *out, struct err *e);

#endif
