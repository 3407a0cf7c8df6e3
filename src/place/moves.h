// SPDX-License-Identifier: MIT
/*
 * What a plan does to the vCPUs that had a place: which were moved and which had to be.
 * A vCPU is moved when it loses CPUs that it could have kept. Pure.
 */
#ifndef QMPIN_PLACE_MOVES_H
#define QMPIN_PLACE_MOVES_H

#include "place/planner.h"

struct moves {
	unsigned int moved;  /* lost CPUs they could have kept */
	unsigned int forced; /* could keep none, so they went elsewhere */
};

/**
 * Of the vCPUs that the VM had in the plan before and still has. Neither: those whose
 * mask became wider, or lost only CPUs that it could not keep.
 *
 * @may  CPUs that the VM may still have: online, not another VM's alone
 */
struct moves moves_of(const struct plan_vm *vm, const struct plan_result *r,
	const struct cpuset *may);

/**
 * CPUs that are the VM's alone: the cores of a dedicated VM, none for others.
 */
struct cpuset moves_exclusive(
	const struct topo *topo, const struct plan_vm *vm, const struct plan_result *r);

#endif
