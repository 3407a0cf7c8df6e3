// SPDX-License-Identifier: MIT
/*
 * VMs that were placed before: is what they have still a place this planner would give
 * them? Nothing that is right is touched; CPUs that went away are cut off, CPUs that
 * came back are taken in. Pure.
 */
#ifndef QMPIN_PLACE_ADOPT_H
#define QMPIN_PLACE_ADOPT_H

#include "place/world.h"

/** Put a float VM where its masks say. Returns false when it must be placed anew. */
bool adopt_float(struct world *w, struct world_group *g);

/** Give the vCPUs of a pin VM the PUs they have. Returns false when some lack one. */
bool adopt_pin(struct world *w, struct world_group *g);

#endif
