// SPDX-License-Identifier: MIT
/*
 * Reasons as data: the explain of each result. Looks at a world in which everybody has
 * his place, and leaves it as it was to the last bit. Pure.
 */
#ifndef QMPIN_PLACE_REASON_H
#define QMPIN_PLACE_REASON_H

#include "place/world.h"

/**
 * Reasons of all VMs that have a result, as plan_input asks for them; of the observed
 * ones see below.
 *
 * @w      NULL: no CPU is for VMs in general
 * @vms    in->n_vms of them
 * @alone  CPUs of the cores that are VMs' alone
 */
void reason_all(const struct plan_input *in, struct world *w,
	const struct world_vm *vms, const struct cpuset *alone);

/** Reasons of an observed VM, at the moment its groups have the places that they would
 * be given. */
void reason_observed(struct world *w, const struct world_vm *vm);

#endif
