// SPDX-License-Identifier: MIT
/*
 * The host as the planner sees it: processing units (PUs) and the groups they form.
 * Built once from facts, never changed; a changed host gives a new model. Pure.
 *
 * Nothing is assumed nested: an L3 may span nodes, a node may span packages, a PU may
 * have no node, a node no PU.
 */
#ifndef QMPIN_TOPO_MODEL_H
#define QMPIN_TOPO_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "topo/cpuset.h"

#define TOPO_NONE (-1)
/* Highest NUMA node id + 1 that is read (the kernel's own limit). */
#define TOPO_NODE_ID_CAP 1024u

enum topo_kind { TOPO_KIND_UNKNOWN, TOPO_KIND_PERFORMANCE, TOPO_KIND_EFFICIENCY };

/* An online PU. core, l2, l3, node, package are indices into the topo's arrays or
 * TOPO_NONE (core is always there). */
struct topo_pu {
	unsigned int cpu; /* the kernel's CPU number */
	int core;
	int l2;
	int l3;
	int node;
	int package;
	enum topo_kind kind;
};

/* A core (SMT siblings), L2 or L3 group, or package. Only online CPUs. */
struct topo_group {
	struct cpuset cpus;
	unsigned int id;   /* lowest CPU; for packages the kernel's package id */
	uint64_t size_kib; /* caches: size of one, 0 unknown; else 0 */
};

struct topo_node {
	unsigned int id;    /* the kernel's node id, may have gaps */
	struct cpuset cpus; /* online CPUs; empty for memory-only nodes */
	uint64_t mem_kib;   /* 0: none or unknown, see mem_known */
	bool mem_known;
	uint64_t free_kib; /* MemFree when it was read; mem_kib where nothing tells */
};

struct topo {
	struct cpuset online;
	struct cpuset isolated; /* isolcpus, nohz_full, partitions of cgroups */
	struct cpuset isolcpus; /* of these, those that processes start without */
	struct cpuset offline;	/* there, but not online, as far as it is told */
	unsigned int n_pus;
	struct topo_pu *pus; /* ascending cpu */
	unsigned int n_cores;
	struct topo_group *cores; /* each kind of group: ascending lowest CPU */
	unsigned int n_l2;
	struct topo_group *l2;
	unsigned int n_l3;
	struct topo_group *l3;
	unsigned int n_packages;
	struct topo_group *packages;
	unsigned int n_nodes;
	struct topo_node *nodes; /* ascending id */
	/* n_nodes x n_nodes as the firmware tells, row-major, 10 = local, perhaps not
	 * symmetric; NULL when unknown. */
	unsigned int *distances;
	/* The least distance of two nodes with CPUs that share a package, and of two
	 * that do not; 0: there are no such nodes, or it is unknown. */
	unsigned int near_distance;
	unsigned int far_distance;
	/* CPU number -> index into pus, TOPO_NONE for others. CPUSET_CAP entries. */
	int *pu_of_cpu;
};

/* What is known of one online CPU. Groups are named by any number that all members
 * share (a key); TOPO_NONE: has none. Nodes are named by the kernel's node id. */
struct topo_cpu_facts {
	unsigned int cpu;
	int64_t core_key;
	int64_t l2_key;
	int64_t l3_key;
	int64_t package_id; /* negative: unknown */
	int node_id;
	enum topo_kind kind;
	uint64_t l2_kib;
	uint64_t l3_kib;
};

struct topo_node_facts {
	unsigned int id;
	uint64_t mem_kib;
	bool mem_known;
	uint64_t free_kib;
};

struct topo_facts {
	unsigned int n_cpus;
	struct topo_cpu_facts *cpus; /* any order */
	unsigned int n_nodes;
	struct topo_node_facts *nodes; /* any order */
	/* row-major in the order of nodes; NULL: unknown */
	unsigned int *distances;
	struct cpuset isolated;
	struct cpuset offline;
	struct cpuset isolcpus;
};

/** Free the arrays of @f; it is empty afterwards. */
void topo_facts_fini(struct topo_facts *f);

/**
 * Build the model.
 *
 * @facts  borrowed; a negative core_key makes a core of its own
 * @out    new object, free with topo_free; written only on success
 *
 * Returns 0, -EINVAL (a CPU listed twice, a node twice or named by a CPU but not
 * listed, no CPU at all) or -ERANGE (a number over its cap); @e says which.
 */
MUST_CHECK int topo_build(
	const struct topo_facts *facts, struct topo **out, struct err *e);

void topo_free(struct topo *t);

/** The PU of a CPU, NULL when it is not online. */
const struct topo_pu *topo_pu_of(const struct topo *t, unsigned int cpu);

/** Index of the node with this kernel id, or TOPO_NONE. */
int topo_node_index(const struct topo *t, unsigned int node_id);

/** The firmware's distance of two nodes (indices), of both directions the longer one; 0
 * when unknown. */
unsigned int topo_distance(const struct topo *t, unsigned int a, unsigned int b);

/** Same CPUs in the same groups and nodes, of the same kind and size, with the same
 * distances; free memory and CPUs that are offline do not count. */
bool topo_equal(const struct topo *a, const struct topo *b);

/** Physical cores that have at least one CPU in @cpus. */
unsigned int topo_count_cores(const struct topo *t, const struct cpuset *cpus);

/** Indices of the nodes of @cpus as a set (bit i = nodes[i]). */
struct cpuset topo_nodes_of(const struct topo *t, const struct cpuset *cpus);

#endif
