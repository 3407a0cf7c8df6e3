// SPDX-License-Identifier: MIT
/*
 * One choice of PUs, or of cores, for the vCPUs of a group that have none, with
 * everybody else where he is. What is nobody's always comes before what is taken. Pure.
 */
#ifndef QMPIN_PLACE_PINCHOICE_H
#define QMPIN_PLACE_PINCHOICE_H

#include <stdbool.h>

#include "place/world.h"

/* Sharing a PU is worse than anything else, and worst with the VM's own vCPUs: they are
 * busy together, others perhaps not. What the guest takes for one core comes next. All
 * are summed over the choices. */
struct pinchoice_price {
	int stacked; /* vCPUs that are on the PU, or core, already */
	int own;     /* of them the VM's */
	int split;   /* not on the core of its siblings, or no room for them */
	double ns;   /* pinprice.h */
};

struct pinchoice_price pinchoice_sum(
	const struct pinchoice_price *a, const struct pinchoice_price *b);

/** By more than rounding. */
bool pinchoice_cheaper(
	const struct pinchoice_price *a, const struct pinchoice_price *b);

/**
 * Choose. The world is as before.
 *
 * @g     a group of which some vCPU has no PU; with its own pins, it need not be one of
 *        the world's
 * @pins  PU of each vCPU, also of those that have one
 */
struct pinchoice_price pinchoice_make(
	struct world *w, const struct world_group *g, int *pins);

/** What such a choice costs that somebody else has made. */
struct pinchoice_price pinchoice_price_of(
	struct world *w, const struct world_group *g, const int *pins);

#endif
