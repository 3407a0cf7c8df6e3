// SPDX-License-Identifier: MIT
/*
 * The vCPUs of a group on cores that are its alone, or on isolated CPUs: taking over
 * what it has, finding more, making do. Pure.
 */
#ifndef QMPIN_PLACE_OWN_H
#define QMPIN_PLACE_OWN_H

#include "place/cores.h"
#include "place/guestcore.h"

struct own {
	struct world_group *g; /* its pins, where it does not float, are filled here */
	unsigned int number;   /* of the group: the owner of its cores */
	bool alone;	       /* on cores of its own; else on isolated CPUs only */
	bool floats;	       /* its vCPUs share its cores */
	bool first_ones;       /* it is to have the first cores that do, not the best */
	struct guest_cores guest;
	struct cpuset cpus; /* floats: what it has */
	unsigned int *used; /* of each PU: its vCPUs there */
};

/** own_fini it; what it has stays the group's. */
struct own own_of(struct world_group *g, const struct world_vm *vm, unsigned int number,
	const struct topo *t);
void own_fini(struct own *o);

/** Take over what it has been given before and may still have. Returns false when that
 * is nothing; on cores of its own also when they were not (plan_vm.own). */
bool own_adopt(struct cores *c, struct own *o);

/** vCPUs without a place; of a group that floats: CPUs that it lacks. */
unsigned int own_missing(const struct own *o);

/** Places for those without one in @pool, all or none; those that fit beside its others
 * go there first. */
void own_extend(struct cores *c, struct own *o, const struct cpuset *pool);

/** Those without a place share what it has, except isolated CPUs. Returns false when
 * there is nothing. */
bool own_share(struct cores *c, struct own *o);

/** It has nothing any more. */
void own_drop(struct cores *c, struct own *o);

/** Of the @i-th vCPU of the group. */
struct cpuset own_mask(const struct cores *c, const struct own *o, unsigned int i);

/** How many cores it lacks in @pool, each node could give (c->n_nodes), and their CPUs.
 */
unsigned int own_count(struct cores *c, const struct own *o, const struct cpuset *pool,
	unsigned int *by_node, unsigned int *cpus);

#endif
