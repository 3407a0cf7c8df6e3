// SPDX-License-Identifier: MIT
/*
 * VMs whose vCPUs share one domain: where a new one goes, and who gets a wider domain
 * when a placement would make VMs wait. Pure.
 */
#ifndef QMPIN_PLACE_FLOAT_H
#define QMPIN_PLACE_FLOAT_H

#include "place/world.h"

/** Put a VM that has entered and is nowhere on its best domain. */
void float_place(struct world *w, struct world_group *g);

/** Widen the domain of a placed VM until each of its vCPUs has a CPU or its limit is
 * reached. */
void float_fit(struct world *w, struct world_group *g);

/**
 * Widen domains until the waiting condition holds or nothing helps any more: always the
 * one that helps most for the distance it costs.
 */
void float_repair(struct world *w);

#endif
