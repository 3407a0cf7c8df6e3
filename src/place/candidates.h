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

/*
 * What a unit of waiting penalty is worth when a domain is chosen, in worst latencies
 * of the host x vCPUs: more, and newcomers go wide at once; less, and repair has to
 * widen them (and others) afterwards.
 */
#define COST_WAIT 2.0

/* Moving a vCPU: its cache is cold for some 10 ms, its memory is the remote term's. */
#define COST_MOVING 0.02

struct candidate {
	unsigned int node;
	double cost;
};

/** Of being spread over @node, whoever else is there: latency and remote memory. */
double candidates_distance_cost(
	const struct world *w, const struct world_group *g, unsigned int node);

/** What each vCPU on @node pays for the @load that runs there, and for the load per core
 * there and around it (@crowding). */
double candidates_crowded_ns(
	const struct world *w, unsigned int node, double load, double crowding);

/**
 * All nodes with a CPU for each vCPU (or the VM's whole limit when none has), the
 * cheapest first; equal ones: the smaller, then the lower CPU. Nodes that give the VM
 * the same CPUs are listed once, as the smallest of them.
 *
 * @out  room for w->tree->n
 */
unsigned int candidates_list(
	const struct world *w, const struct world_group *g, struct candidate *out);

/** It is in that list. */
bool candidates_has(
	const struct world *w, const struct world_group *g, unsigned int node);

/** Share of the VM's memory accesses that stay local on @node, 0..1. */
double candidates_local_share(
	const struct world *w, const struct world_group *g, unsigned int node);

#endif
