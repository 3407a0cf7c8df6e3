// SPDX-License-Identifier: MIT
/*
 * From the pure planner back to the daemon's VMs: what its answer means for each
 * thread. What it is asked is seating.h's.
 */
#ifndef QMPIN_DAEMON_PLANNING_H
#define QMPIN_DAEMON_PLANNING_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"

struct engine;

/**
 * Plan for all surveyed VMs and store the answer: want and wanted of each task, domain,
 * emulator, why and note of each VM. VMs whose wants changed are marked fresh, so that
 * they are applied too.
 *
 * @rebalance  running VMs may be moved for a gain, within the allowance; else only
 *             those that have to
 *
 * Returns 0 or the planner's error with @err.
 */
MUST_CHECK int planning_run(struct engine *e, bool rebalance, struct err *err);

#endif
