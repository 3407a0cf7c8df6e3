// SPDX-License-Identifier: MIT
/*
 * vCPUs that each have a PU (mode pin), or guest cores that each have a host core (mode
 * core). Threads of a guest core come onto one host core where it has threads. Pure.
 */
#ifndef QMPIN_PLACE_PIN_H
#define QMPIN_PLACE_PIN_H

#include "place/world.h"

/**
 * Give each vCPU without a PU one: idle PUs first, of idle cores before others, in a
 * compact domain or near the PUs the VM has. Guest cores in the same way: idle cores
 * first.
 */
void pin_place(struct world *w, struct world_group *g);

/** CPUs the group has in this world; empty when it has isolated ones only. */
struct cpuset pin_cpus(const struct world *w, const struct world_group *g);

/** What the @i-th vCPU of a placed group may use: its PU, or its core. */
struct cpuset pin_mask(
	const struct world *w, const struct world_group *g, unsigned int i);

/** The PU that stands for a vCPU on a core: the one with the fewest vCPUs. @core: index
 * into topo->cores; the group may use a PU of it. */
unsigned int pin_in_core(
	const struct world *w, const struct world_group *g, unsigned int core);

/** vCPUs of a placed VM whose PU is another vCPU's as well; of mode core: whose core is
 * another guest core's. */
unsigned int pin_stacked(const struct world *w, const struct world_group *g);

/**
 * Whether each guest core of a group could have a core of @node that no pinned vCPU
 * uses.
 *
 * @g      any group that is not pinned; it stays as it is
 * @masks  of each of its vCPUs; written only when that is so
 */
bool pin_fits(struct world *w, const struct world_group *g, unsigned int node,
	struct cpuset *masks);

/**
 * Where the group would go if it had to leave all CPUs it has.
 *
 * @masks  of each of its vCPUs; written only when there are CPUs for them
 */
bool pin_elsewhere(struct world *w, const struct world_group *g, struct cpuset *masks);

#endif
