// SPDX-License-Identifier: MIT
/*
 * The domains a group of vCPUs could be given and what each would cost: the terms of
 * the objective (objective.h) but for waiting, which float.c and pin.c add, and for
 * moving. Pure.
 */
#ifndef QMPIN_PLACE_CANDIDATES_H
#define QMPIN_PLACE_CANDIDATES_H

#include "place/objective.h"
#include "place/world.h"

struct candidate {
	unsigned int node;
	double cost; /* ns x vCPUs */
};

/**
 * What each vCPU of the group pays on @node, weighted; TERM_WAITING and TERM_MOVING are
 * 0. A group that has a place already is taken out of it for that. The VM's other
 * groups count where they are; those that are nowhere as if they came here too.
 */
void candidates_terms(const struct world *w, const struct world_group *g,
	unsigned int node, struct terms *out);

/** The sum of these terms for all the group's demand, ns x vCPUs. */
double candidates_cost(
	const struct world *w, const struct world_group *g, unsigned int node);

/*
 * The parts that depend on other VMs, for each vCPU: what it pays for sharing its core
 * (@shared: see objective_sharing), and for the load per core where it is and around
 * it. Sharing counts for more than the group's demand where it avoids it.
 */
double candidates_sharing_ns(const struct world *w, double shared);
double candidates_sharing_demand(const struct world_group *g);
double candidates_crowding_ns(const struct world *w, double load_per_core);

/** What it would pay in that way for the load of the VM's other groups, where these
 * are: nobody crowds himself. */
double candidates_family_ns(
	const struct world *w, const struct world_group *g, unsigned int node);

/** Of it the part that does not depend on other VMs: memory, communication, PCI, small
 * cores. */
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

/** The order of that list. */
bool candidates_before(
	const struct world *w, const struct candidate *a, const struct candidate *b);

/** It is in that list. */
bool candidates_has(
	const struct world *w, const struct world_group *g, unsigned int node);

/** Share of the group's own memory that is local on @node, 0..1. */
double candidates_local_share(
	const struct world *w, const struct world_group *g, unsigned int node);

#endif
