// SPDX-License-Identifier: MIT
/*
 * VMs whose vCPUs share one domain: where a new one goes. Pure.
 */
#ifndef QMPIN_PLACE_FLOAT_H
#define QMPIN_PLACE_FLOAT_H

#include "place/world.h"

/** Put a VM that has entered and is nowhere on its best domain. */
void float_place(struct world *w, struct world_group *g);

/** Widen the domain of a placed VM until each of its vCPUs has a CPU or its limit is
 * reached. */
void float_fit(struct world *w, struct world_group *g);

#endif
