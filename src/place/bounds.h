// SPDX-License-Identifier: MIT
/* Which rules really took something from a VM's choice: with each, and without it.
 * Pure.
 */
#ifndef QMPIN_PLACE_BOUNDS_H
#define QMPIN_PLACE_BOUNDS_H

#include "place/explain.h"
#include "place/world.h"

/**
 * The rules that bound the VM before anybody looked at costs (all but
 * EXPLAIN_WAITING and EXPLAIN_DWELL): into out->rules, out->exclusive.
 *
 * @vm     its result is written
 * @alone  CPUs of the cores that are VMs' alone
 */
void bounds_find(const struct plan_input *in, const struct world_vm *vm,
	const struct cpuset *alone, struct explain *out);

#endif
