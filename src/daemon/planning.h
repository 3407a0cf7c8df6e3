// SPDX-License-Identifier: MIT
/*
 * Between the daemon's VMs and the pure planner: what each VM is to the planner, and
 * what its answer means for each thread.
 */
#ifndef QMPIN_DAEMON_PLANNING_H
#define QMPIN_DAEMON_PLANNING_H

#include "base/attr.h"
#include "base/err.h"

struct engine;

/**
 * Plan for all surveyed VMs and store the answer: want and wanted of each task, domain,
 * emulator, why and note of each VM. VMs whose wants changed are marked fresh, so that
 * they are applied too.
 *
 * Returns 0 or the planner's error with @err.
 */
MUST_CHECK int planning_run(struct engine *e, struct err *err);

#endif
