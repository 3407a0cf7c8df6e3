// SPDX-License-Identifier: MIT
/*
 * Where memory is and what it costs to reach it from other nodes. Nodes are indices
 * into topo->nodes; shares of CPUs or memory are arrays of one for each node. Pure.
 */
#ifndef QMPIN_PLACE_RESIDENCY_H
#define QMPIN_PLACE_RESIDENCY_H

#include "topo/model.h"

/**
 * What an access from each node to the memory of each other node costs: 0 in the node
 * itself, 1 for the nearest other node (of any node with CPUs) and where distances are
 * unknown, more for farther ones.
 *
 * Returns a new array of n_nodes x n_nodes, row-major by the CPU's node; free() it.
 */
float *residency_costs(const struct topo *t);

/** Mean cost of an access from CPUs of shares @from to memory of shares @to. Where the
 * shares do not sum up to 1 (CPUs without a node), the rest costs 1. */
double residency_mean(
	const float *costs, unsigned int n, const float *from, const double *to);

/** The least cost from CPUs of shares @from to any of the nodes @to (kernel ids), mean
 * over the CPUs; 0 when none of them is there. */
double residency_nearest(const struct topo *t, const float *costs, const float *from,
	const struct cpuset *to);

/* Memory that is about to be touched. */
struct residency_want {
	const float *share; /* of its vCPUs' CPUs on each node */
	double gib;	    /* 0: unknown, fits anywhere */
	/* Free memory of each node, negative: unknown, which is enough for anything;
	 * NULL: all unknown. */
	const double *free_gib;
	/* What of it is in use by itself, so free for it; NULL: nothing. */
	const double *own_gib;
};

/**
 * Shares of memory that vCPUs touch first, into @out: where they are, and what does not
 * fit there on the nearest nodes with room. What fits nowhere counts as where it was
 * touched.
 */
void residency_touch(const struct topo *t, const float *costs,
	const struct residency_want *want, double *out);

#endif
