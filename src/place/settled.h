// SPDX-License-Identifier: MIT
/*
 * Results of VMs that have their place before the others are planned: cores of their
 * own, or isolated CPUs. Masks, emulator, reasons. Pure.
 */
#ifndef QMPIN_PLACE_SETTLED_H
#define QMPIN_PLACE_SETTLED_H

#include "place/own.h"

/* A VM of the first stage. */
struct seat {
	struct world_vm *vm;
	unsigned int n_owns;
	struct own *owns;
	bool adopted; /* has something that it had before */
	bool placed;  /* all its vCPUs were given their place in this run */
	bool later;   /* the rest of its vCPUs are planned with the others */
	bool failed;
};

/** The result of a VM whose vCPUs all have their place; those of VMs that are left
 * alone are written already. */
void settled_write(const struct cores *c, const struct seat *s);

/** Why it cannot be placed, in numbers. */
void settled_refuse(struct cores *c, const struct seat *s);

#endif
