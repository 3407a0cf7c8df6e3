// SPDX-License-Identifier: MIT
/*
 * What one vCPU more on a PU costs, by the terms of the objective (objective.h): what
 * it pays itself, and what others pay since it is there, the VM's own as well as other
 * VMs'. Summed up over the vCPUs of a group that is the difference it makes to what all
 * pay, in whatever order they come. Pure.
 */
#ifndef QMPIN_PLACE_PINPRICE_H
#define QMPIN_PLACE_PINPRICE_H

#include "place/world.h"

struct pinprice;

/**
 * Prices for the vCPUs of @g, which has the PUs of @pins (-1: none) in @w. Nothing else
 * in @w changes while this lives.
 *
 * Returns a new object, never NULL; free with pinprice_free.
 */
struct pinprice *pinprice_new(
	const struct world *w, const struct world_group *g, const int *pins);
void pinprice_free(struct pinprice *p);

/** One of the vCPUs comes to the PU (@sign 1), or leaves it (-1). */
void pinprice_mark(struct pinprice *p, unsigned int pu, int sign);

/** Before prices are asked for, after each mark. */
void pinprice_look(struct pinprice *p);

/** ns x vCPUs for one vCPU more on a PU, usable. Sharing a PU has no price here. */
double pinprice_of(const struct pinprice *p, unsigned int pu);

#endif
