// SPDX-License-Identifier: MIT
/*
 * First touch: on which nodes memory comes to lie that vCPUs with given masks use for
 * the first time. Shares are arrays of a topo's n_nodes, in its order. Pure.
 */
#ifndef QMPIN_PLACE_TOUCH_H
#define QMPIN_PLACE_TOUCH_H

#include <stdbool.h>

#include "topo/cpuset.h"
#include "topo/model.h"

/** Add what vCPUs of the weight @weight touch, spread over the CPUs of @mask. CPUs
 * without a node touch nothing. */
void touch_add(const struct topo *topo, const struct cpuset *mask, double weight,
	double *share);

/**
 * Bind, make up for nodes without memory (the nearest one gives its own, as the kernel
 * does it), and scale to the sum 1.
 *
 * @bound  kernel ids of the nodes that memory may come from; of others it comes from
 *         all of these in equal parts. Empty: not bound.
 *
 * Returns false when there is no node to be on; @share is all 0 then.
 */
bool touch_settle(const struct topo *topo, const struct cpuset *bound, double *share);

#endif
