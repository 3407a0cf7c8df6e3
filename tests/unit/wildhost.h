// SPDX-License-Identifier: MIT
/*
 * Hosts of all kinds for tests of the planner, odd ones too: an L3 over several nodes,
 * nodes without CPUs, CPUs without a node, two kinds of cores, one CPU, gaps in the
 * numbers, isolated CPUs.
 */
#ifndef QMPIN_TESTS_WILDHOST_H
#define QMPIN_TESTS_WILDHOST_H

#include "chance.h"
#include "hosts.h"

#define WILD_CPUS 64u
/* CPU numbers are below this; numbers from there on are those of no host. */
#define WILD_CPU_END 192u
#define WILD_NODES 10u

struct wildhost {
	unsigned int n_cpus;
	struct topo_cpu_facts cpus[WILD_CPUS];
	unsigned int n_nodes;
	struct topo_node_facts nodes[WILD_NODES];
	bool has_distances;
	unsigned int distances[WILD_NODES * WILD_NODES];
	struct cpuset isolated;
};

void wildhost_draw(struct wildhost *h, struct chance *c);

struct cpuset wildhost_cpus(const struct wildhost *h);

/** The same host with other CPU numbers: @to[cpu] for cpu. */
void wildhost_renumber(struct wildhost *h, const unsigned int *to);

/** Its model without the CPUs in @offline, not all of them; host_fini it. */
struct host wildhost_build(const struct wildhost *h, const struct cpuset *offline);

#endif
