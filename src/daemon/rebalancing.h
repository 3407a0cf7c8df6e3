// SPDX-License-Identifier: MIT
/*
 * Once a minute running VMs may be moved for a gain: a pass of its own, so that an
 * event never moves anybody but whom it concerns. How far it goes is the planner's and
 * the allowance's.
 */
#ifndef QMPIN_DAEMON_REBALANCING_H
#define QMPIN_DAEMON_REBALANCING_H

#include <stdint.h>

struct engine;
struct vm;

/** Create the engine's timer. */
void rebalancing_start(struct engine *e);

/** A running VM was moved without rebalance, out of the same budget: what had been
 * saved until then is gone. */
void rebalancing_spend(struct engine *e);

/** A VM is moved for a gain, which happens twelve times and then every two hours: where
 * it is moved so often the host changes faster than a better place pays. */
void rebalancing_count_gain(struct vm *vm);

/** It rests until then; 0: it does not. */
uint64_t rebalancing_rests_until_us(const struct vm *vm);

#endif
