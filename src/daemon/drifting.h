// SPDX-License-Identifier: MIT
/*
 * Masks of a VM that somebody else has changed: what it looked like, how often it was
 * put right, and when to give way.
 */
#ifndef QMPIN_DAEMON_DRIFTING_H
#define QMPIN_DAEMON_DRIFTING_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/drift.h"
#include "daemon/patience.h"

struct engine;
struct vm;

/* Zeroed nothing ever happened. */
struct drifting {
	struct drift found; /* by the last pass that looked at it */
	uint64_t found_us;
	char text[192]; /* the repair that is being told, "": none is */
	unsigned int repairs[DRIFT_N_KINDS]; /* passes that put masks right */
	struct patience patience;
};

/** A pass is about to set masks: what has happened to those of the VMs it looks at. */
void drifting_look(struct engine *e);

/** Masks of @vm were put right: count and, when it is too often, give way.
 *
 * @explained  nobody disagrees: it costs no patience
 */
void drifting_repaired(struct engine *e, struct vm *vm, bool explained);

/** The time of giving way may be over; then one pass finds out how things are. */
void drifting_try(const struct engine *e, struct vm *vm);

/** The administrator wants it to be placed: as if nobody had ever changed its masks. */
void drifting_forgive(struct vm *vm);

#endif
