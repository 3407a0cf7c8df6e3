// SPDX-License-Identifier: MIT
/* A result's reason in words, for the journal, ps and explain. Pure. */
#ifndef QMPIN_PLACE_WHY_H
#define QMPIN_PLACE_WHY_H

#include "place/world.h"

/** Longest name of a domain with its NUL; longer lists of CPUs are cut. */
#define WHY_DOMAIN_MAX 64u

/** "L3 group 2 of node 0", "nodes 0-1", "the host" into @buf. Returns @buf. */
char *why_domain(
	const struct topo *t, const struct cpuset *cpus, char *buf, size_t size);

/** The same of the smallest thing that has a name and all of @cpus: an L3 group, a
 * node, nodes, the host. Returns true when these are just @cpus. */
bool why_around(
	const struct topo *t, const struct cpuset *cpus, char *buf, size_t size);

/**
 * Add to vm->out->why what there is to say of one of its groups; called once for each,
 * in order.
 *
 * @node  its domain; vm->out has the masks
 */
void why_planned(const struct world *w, const struct world_vm *vm,
	const struct world_group *g, unsigned int node);

#endif
