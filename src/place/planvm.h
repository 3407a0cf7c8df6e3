// SPDX-License-Identifier: MIT
/* Parts of what the planner is told of a VM: its NUMA nodes, that it has waited. */
#ifndef QMPIN_PLACE_PLANVM_H
#define QMPIN_PLACE_PLANVM_H

#include "topo/cpuset.h"

/* A NUMA node of the guest. Borrowed pointers. */
struct plan_guest_node {
	/* Kernel ids of the host nodes its memory is bound to; its vCPUs stay there.
	 * Empty: not bound. Nodes without CPUs count for memory only. */
	struct cpuset host_nodes;
	/* Share of its memory on each node (topo->nodes order, sums to 1), NULL: as the
	 * VM's. */
	const double *memory_share;
};

/* A VM has waited while CPUs idled: what it has is too narrow, whatever the model of
 * waiting says. */
struct plan_waited {
	/* CPUs that it may use, that idled, and on which none of the vCPUs that waited
	 * may run. */
	struct cpuset idle;
	double share; /* of its runnable time, 0..1: for the reason */
};

#endif
