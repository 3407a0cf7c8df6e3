// SPDX-License-Identifier: MIT
/*
 * The domains a VM could be given and what each would cost, in nanoseconds x vCPUs, the
 * unit of every term of the objective. Waiting is not among them: see float.c. Pure.
 */
#ifndef QMPIN_PLACE_CANDIDATES_H
#define QMPIN_PLACE_CANDIDATES_H

#include "place/world.h"

/*
 * What a vCPU pays, in units of the worst latency of the host: a memory access that
 * always goes to another node; demand that cannot run although CPUs idle; sharing its
 * core with another vCPU. The spread term, for each vCPU a core has already, fills
 * domains evenly.
 */
#define COST_REMOTE 1.0
#define COST_LOST 2.0
#define COST_SMT 0.4
#define COST_SPREAD 0.2

struct candidate {
	unsigned int node;
	double cost;
};

/** Of being spread over @node, whoever else is there: latency and remote memory. */
double candidates_distance_cost(
	const struct world *w, const struct world_group *g, unsigned int node);

/**
 * All nodes with a CPU for each vCPU (or the VM's whole limit when none has), the
 * cheapest first; equal ones: the smaller, then the lower CPU. Nodes that give the VM
 * the same CPUs are listed once, as the smallest of them.
 *
 * @out  room for w->tree->n
 */
unsigned int candidates_list(
	const struct world *w, const struct world_group *g, struct candidate *out);

/** Share of the VM's memory accesses that stay local on @node, 0..1. */
double candidates_local_share(
	const struct world *w, const struct world_group *g, unsigned int node);

#endif
