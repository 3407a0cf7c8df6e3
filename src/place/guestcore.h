// SPDX-License-Identifier: MIT
/* The guest's cores: which vCPUs of a group are threads of one core. Pure. */
#ifndef QMPIN_PLACE_GUESTCORE_H
#define QMPIN_PLACE_GUESTCORE_H

#include <stdbool.h>

#include "place/world.h"

struct guest_cores {
	bool threads; /* cores have more than one thread; else each vCPU is a core */
	unsigned int n;
	unsigned int *of;   /* of each vCPU of the group: its core, 0..n-1 in the order
			     * of their first vCPUs */
	unsigned int *size; /* of each core: vCPUs that are plugged */
};

/** The cores of a group; guestcore_fini it. */
struct guest_cores guestcore_list(const struct world_group *g);
void guestcore_fini(struct guest_cores *c);

#endif
