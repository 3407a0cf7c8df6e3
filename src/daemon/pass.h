// SPDX-License-Identifier: MIT
/*
 * One pass: survey the VMs that are due, plan for all, apply what differs, report. With
 * many VMs it is done in slices, between which the loop serves others; what they bring
 * about belongs to the next pass.
 */
#ifndef QMPIN_DAEMON_PASS_H
#define QMPIN_DAEMON_PASS_H

#include <stdbool.h>
#include <stdint.h>

struct engine;

/* No slice takes much longer, but for the plan, which is in one piece. */
#define PASS_SLICE_US 4000u

enum pass_phase {
	PASS_IDLE,
	PASS_SURVEY,
	PASS_APPLY,
	PASS_APPLY_LATE, /* VMs that come when others have left */
};

/* Zeroed: none goes on. */
struct pass {
	enum pass_phase phase;
	bool rebalance;
	uint64_t began_us;
};

enum pass_step {
	PASS_NOTHING, /* was to be done */
	PASS_MORE,    /* to be called again soon */
	PASS_DONE,
};

/** One slice over the VMs marked fresh. */
enum pass_step pass_run(struct engine *e);

/** Drop the pass that goes on: what it rests on is no longer true. */
void pass_drop(struct engine *e);

/** Some VM is to be looked at: behind a pass, one that came too late for it. */
bool pass_is_due(const struct engine *e);

#endif
