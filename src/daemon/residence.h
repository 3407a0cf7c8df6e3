// SPDX-License-Identifier: MIT
/*
 * Where a VM's memory is, as the planner is told: what was read, in coarse steps that
 * small changes do not move, and only once enough of the guest's memory is in place to
 * mean something. Pure.
 */
#ifndef QMPIN_DAEMON_RESIDENCE_H
#define QMPIN_DAEMON_RESIDENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "topo/cpuset.h"
#include "topo/model.h"

/* Zero-initialised: nothing is known. */
struct residence {
	bool known;
	unsigned int n_nodes;
	uint64_t *bytes; /* by kernel id of the node, as last read */
	uint64_t total_bytes;
	bool counts;  /* enough of it is in place */
	double *held; /* n_nodes shares, in steps; valid when it counts */
};

/** Take what was read of n_nodes nodes. @guest_bytes: the guest's size, 0: unknown. */
void residence_take(struct residence *r, const uint64_t *bytes, unsigned int n_nodes,
	uint64_t guest_bytes);

/** Nothing is known any more. */
void residence_fini(struct residence *r);

/** Shares of the host's nodes, which sum up to 1, as a new array; NULL: unknown, too
 * little is in place, or on no node of this host. */
double *residence_share(const struct residence *r, const struct topo *topo);

/** Bytes on nodes that CPUs of @cpus are of. */
uint64_t residence_local_bytes(
	const struct residence *r, const struct topo *topo, const struct cpuset *cpus);

#endif
