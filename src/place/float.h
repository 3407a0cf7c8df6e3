// SPDX-License-Identifier: MIT
/*
 * VMs whose vCPUs share one domain: where a new one goes. Pure.
 */
#ifndef QMPIN_PLACE_FLOAT_H
#define QMPIN_PLACE_FLOAT_H

#include "place/world.h"

/** The best domain for a group that is nowhere (it need not be one of the world's). */
unsigned int float_best(struct world *w, const struct world_group *g);

/** What this waiting counts for in the objective, ns x vCPUs. */
double float_wait_cost(const struct world *w, const struct wait_cost *wait);

/** Put a group that has entered and is nowhere on its best domain; and with it its VM's
 * other groups that are nowhere, so that they are near each other (guest.h). One that
 * has come with another one stays there. */
void float_place(struct world *w, struct world_group *g);

/** Widen the domain of a placed VM until each of its vCPUs has a CPU or its limit is
 * reached. */
void float_fit(struct world *w, struct world_group *g);

#endif
