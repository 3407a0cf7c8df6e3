// SPDX-License-Identifier: MIT
/*
 * Better places for VMs that run: the only reason for which one is moved that need not
 * be. Gentle: few at a time, each only for a gain that is worth it, and it rests
 * afterwards. Pure.
 */
#ifndef QMPIN_PLACE_REBALANCE_H
#define QMPIN_PLACE_REBALANCE_H

#include "place/explain.h"
#include "place/total.h"
#include "place/world.h"

/**
 * Move or narrow float groups, the one that gains most for each vCPU moved first, until
 * the policy's allowance is used up or nothing is worth it. To make it possible others
 * may be widened. The total falls with each move, so that repeated plans come to rest;
 * waiting does not rise.
 */
void rebalance_run(struct world *w);

/**
 * What keeps a float group from being moved to @node for a gain, however much may be
 * moved: EXPLAIN_FREE when nothing does.
 *
 * @t  of its world, in which all have their places; rounding may change the world's
 * sums
 */
enum explain_hold rebalance_hold(
	const struct total *t, struct world_group *g, unsigned int node);

#endif
