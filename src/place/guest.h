// SPDX-License-Identifier: MIT
/* Float VMs of several groups (guest NUMA nodes): one domain for all, or one for each,
 * near each other. Pure. */
#ifndef QMPIN_PLACE_GUEST_H
#define QMPIN_PLACE_GUEST_H

#include "place/world.h"

/**
 * Put all groups of the VM that are nowhere where they cost least together. They need
 * not have entered the waiting model: those of roles other than WORLD_OBSERVE have
 * afterwards.
 */
void guest_place(struct world *w, struct world_vm *vm);

#endif
