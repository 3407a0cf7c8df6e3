// SPDX-License-Identifier: MIT
/*
 * VMs that waited while CPUs idled (plan_vm.waited): each of their groups is given the
 * smallest domain around what it has in which some of those CPUs are, and none that is
 * narrower as long as the caller says so. The domain around is never less than what it
 * has, so nobody is moved. Pure.
 */
#ifndef QMPIN_PLACE_WIDEN_H
#define QMPIN_PLACE_WIDEN_H

#include <stdbool.h>

#include "place/world.h"

/** On @node the group has some of the CPUs that idled; or there is nothing to do: it
 * did not wait, or none of them may be its. */
bool widen_is_enough(
	const struct world *w, const struct world_group *g, unsigned int node);

/** A group that is nowhere yet, and waited, is put on the domain around what it had.
 * Returns false where that does not need to be more, or it was nowhere. */
bool widen_adopt(struct world *w, struct world_group *g);

/** It waited, and has some of the CPUs that idled. */
bool widen_shows(const struct world *w, const struct world_group *g);

#endif
