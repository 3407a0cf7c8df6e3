// SPDX-License-Identifier: MIT
/*
 * How a guest is built (QEMU's -smp and -numa), as far as the planner asks: the NUMA
 * nodes and the cores of its vCPUs, from what QMP says of them. Pure.
 */
#ifndef QMPIN_DAEMON_SMP_H
#define QMPIN_DAEMON_SMP_H

#include <stdint.h>

#include "qmp/facts.h"

struct smp {
	/* From 0 on, some perhaps without a vCPU. 0: it has none. */
	unsigned int n_nodes;
	unsigned int threads_per_core; /* the most that are plugged of any core */
	uint16_t *node_of; /* of each of the facts' vCPUs, below n_nodes; owned */
	uint32_t *core_of; /* same number: threads of one core; owned */
};

/** Free with smp_fini. */
void smp_init(struct smp *g, const struct qmp_facts *facts);
void smp_fini(struct smp *g);

/** Position of the vCPU with this cpu-index, or -1. */
int smp_find(const struct qmp_facts *facts, unsigned int index);

#endif
