// SPDX-License-Identifier: MIT
/*
 * Once a minute running VMs may be moved for a gain: a pass of its own, so that an
 * event never moves anybody but whom it concerns. How far it goes is the planner's and
 * the allowance's.
 */
#ifndef QMPIN_DAEMON_REBALANCING_H
#define QMPIN_DAEMON_REBALANCING_H

struct engine;

/** Create the engine's timer. */
void rebalancing_start(struct engine *e);

/** A running VM was moved without rebalance, out of the same budget: what had been
 * saved until then is gone. */
void rebalancing_spend(struct engine *e);

#endif
