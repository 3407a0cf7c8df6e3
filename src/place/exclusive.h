// SPDX-License-Identifier: MIT
/*
 * The first stage of a plan: VMs that have cores for themselves (mode dedicated, smt
 * isolate), and pinned ones on isolated CPUs. They get their CPUs first; all others are
 * planned in a world without them. Pure.
 */
#ifndef QMPIN_PLACE_EXCLUSIVE_H
#define QMPIN_PLACE_EXCLUSIVE_H

#include "place/entry.h"

/**
 * Place those VMs, write their results, and take their cores from all others.
 *
 * @e       VMs that are placed get the role WORLD_SETTLED, those that cannot be
 *          WORLD_LEAVE; both lose their groups. Groups of others may come with pins.
 * @usable  CPUs that VMs in general may use; afterwards without the cores that are
 *          VMs' alone. Perhaps empty, then no group is left.
 * @alone   all CPUs of those cores, also isolated and reserved ones
 */
void exclusive_settle(const struct plan_input *in, struct entries *e,
	struct cpuset *usable, struct cpuset *alone);

#endif
