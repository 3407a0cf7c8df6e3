// SPDX-License-Identifier: MIT
/*
 * Better places for VMs that run: the only reason for which one is moved that need not
 * be. Gentle: few at a time, each only for a gain that is worth it, and it rests
 * afterwards. Pure.
 */
#ifndef QMPIN_PLACE_REBALANCE_H
#define QMPIN_PLACE_REBALANCE_H

#include "place/world.h"

/**
 * Move or narrow float groups, the one that gains most for each vCPU moved first, until
 * the policy's allowance is used up or nothing is worth it. To make it possible others
 * may be widened. The total falls with each move, so that repeated plans come to rest;
 * waiting does not rise.
 */
void rebalance_run(struct world *w);

#endif
