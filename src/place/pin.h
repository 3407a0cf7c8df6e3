// SPDX-License-Identifier: MIT
/* One PU for each vCPU. Pure. */
#ifndef QMPIN_PLACE_PIN_H
#define QMPIN_PLACE_PIN_H

#include "place/world.h"

/**
 * Give each vCPU without a PU one: idle PUs first, of idle cores before others, in a
 * compact domain or near the PUs the VM has.
 */
void pin_place(struct world *w, struct world_group *g);

/** The PUs of a pin VM. */
struct cpuset pin_cpus(const struct world *w, const struct world_group *g);

/** vCPUs of a placed VM whose PU is another vCPU's as well. */
unsigned int pin_stacked(const struct world *w, const struct world_group *g);

#endif
