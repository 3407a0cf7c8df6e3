// SPDX-License-Identifier: MIT
/*
 * Made-up regular hosts for tests: packages of nodes of L3 groups of cores of threads,
 * all of one size, the second threads of all cores numbered after the first ones.
 */
#ifndef QMPIN_TESTS_LAYOUTS_H
#define QMPIN_TESTS_LAYOUTS_H

#include <stdlib.h>

#include "base/attr.h"
#include "base/xalloc.h"
#include "topo/model.h"

struct layout {
	unsigned int packages;
	unsigned int nodes; /* of a package */
	unsigned int l3s;   /* of a node; 0: one for the whole package */
	unsigned int cores; /* of an L3, or of a node when that has none of its own */
	unsigned int threads;
	unsigned int near; /* distance of two nodes of a package, 0: no distances */
	unsigned int far;
};

/* Facts of the host, free with topo_facts_fini. */
static inline struct topo_facts
hosts_facts(const struct layout *l)
{
	const unsigned int node_cores = l->cores * (l->l3s > 0 ? l->l3s : 1);
	const unsigned int n_nodes = l->packages * l->nodes;
	const unsigned int n_cores = n_nodes * node_cores;
	struct topo_facts f = {0};

	f.n_cpus = n_cores * l->threads;
	f.cpus = xcalloc(f.n_cpus, sizeof(*f.cpus));
	for (unsigned int i = 0; i < f.n_cpus; i++) {
		const unsigned int core = i % n_cores;
		const unsigned int node = core / node_cores;
		struct topo_cpu_facts *c = &f.cpus[i];

		c->cpu = i;
		c->core_key = core;
		c->l2_key = core;
		c->l2_kib = 1024;
		c->l3_key = l->l3s > 0 ? core / l->cores : node / l->nodes;
		c->l3_kib = 32768;
		c->node_id = (int)node;
		c->package_id = node / l->nodes;
	}
	f.n_nodes = n_nodes;
	f.nodes = xcalloc(n_nodes, sizeof(*f.nodes));
	for (unsigned int i = 0; i < n_nodes; i++)
		f.nodes[i] = (struct topo_node_facts){i, 1 << 20, true, 1 << 19};
	if (l->near == 0)
		return f;
	f.distances = xcalloc((size_t)n_nodes * n_nodes, sizeof(*f.distances));
	for (unsigned int i = 0; i < n_nodes * n_nodes; i++) {
		const unsigned int a = i / n_nodes;
		const unsigned int b = i % n_nodes;

		f.distances[i] = a / l->nodes != b / l->nodes ? l->far : l->near;
		if (a == b)
			f.distances[i] = 10;
	}
	return f;
}

static inline struct topo *
hosts_build(const struct layout *l)
{
	struct topo_facts f = hosts_facts(l);
	struct topo *t = NULL;

	if (topo_build(&f, &t, NULL) < 0)
		abort();
	topo_facts_fini(&f);
	return t;
}

#endif
