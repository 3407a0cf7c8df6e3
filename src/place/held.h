// SPDX-License-Identifier: MIT
/*
 * Cores and CPUs that a group of the first stage has or could have, one by one: the
 * pieces that own.h works with. CPUs are indices into topo->pus here, cores into
 * topo->cores. Pure.
 */
#ifndef QMPIN_PLACE_HELD_H
#define QMPIN_PLACE_HELD_H

#include "place/own.h"

/** Core of a CPU. */
unsigned int held_core(const struct cores *c, int pu);

/** All CPUs the group may have. */
struct cpuset held_may(const struct own *o);

/** Those of one core. */
struct cpuset held_part(const struct cores *c, const struct own *o, unsigned int core);

/** The core becomes its own. Returns false when it is somebody else's or must not. */
bool held_take(struct cores *c, const struct own *o, unsigned int core);

/** Its @v-th vCPU has the CPU from now on. */
void held_pin(struct cores *c, const struct own *o, unsigned int v, int pu);

/** The CPU that stands for the @v-th vCPU on a core: those of a guest core take its
 * CPUs in turn. */
int held_turn(
	const struct cores *c, const struct own *o, unsigned int v, unsigned int core);

/** The core that the vCPU's guest core has already, or -1. */
int held_siblings(const struct cores *c, const struct own *o, unsigned int v);

/** A CPU of the core that no vCPU has, or -1. */
int held_idle(const struct cores *c, const struct own *o, unsigned int core);

/** The core of its own with the fewest vCPUs, or -1. */
int held_least_core(const struct cores *c, const struct own *o);

/** The CPU of its cores, not an isolated one, with the fewest vCPUs, or -1. */
int held_least_pu(const struct cores *c, const struct own *o);

/** All CPUs of the cores that are its alone. */
struct cpuset held_cores(const struct cores *c, const struct own *o);

#endif
