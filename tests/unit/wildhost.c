// SPDX-License-Identifier: MIT
/*
 * A regular host is drawn first, then twists are. Every one can be built: what the
 * model refuses (test_model.c) does not come up.
 */
#include "config.h"

#include "wildhost.h"

#include <stdlib.h>

#include "base/xalloc.h"

struct shape {
	unsigned int packages;
	unsigned int nodes; /* of a package; 0: no NUMA */
	unsigned int l3;    /* of a node, or of a package without nodes */
	unsigned int cores; /* of an L3 */
	unsigned int threads;
	bool wide_l3; /* one L3 for the package, over its nodes */
	bool no_l3;
	bool hybrid;	  /* the second half: efficiency cores with one thread */
	bool adjacent;	  /* threads of a core have adjacent numbers */
	unsigned int gap; /* between CPU numbers */
	unsigned int node_stride; /* between node numbers */
};

static unsigned int
at_least_one(unsigned int n)
{
	return n > 0 ? n : 1;
}

static unsigned int
cores_of(const struct shape *s)
{
	return s->packages * at_least_one(s->nodes) * s->l3 * s->cores;
}

static struct shape
draw_shape(struct chance *c)
{
	struct shape s = {
		.packages = 1 + chance_below(c, 2),
		.nodes = chance_below(c, 4),
		.l3 = 1 + chance_below(c, 3),
		.cores = 1 + chance_below(c, 6),
		.threads = chance_of(c, 70) ? 2 : 1,
		.wide_l3 = chance_of(c, 12),
		.no_l3 = chance_of(c, 8),
		.hybrid = chance_of(c, 10),
		.adjacent = chance_of(c, 30),
		.gap = chance_of(c, 10) ? 1 + chance_below(c, 2) : 0,
		.node_stride = chance_of(c, 15) ? 2 : 1,
	};

	if (chance_of(c, 5))
		s.threads = 4;
	if (chance_of(c, 4)) /* as small as can be */
		s = (struct shape){.packages = 1,
			.l3 = 1,
			.cores = 1 + chance_below(c, 2),
			.threads = 1,
			.node_stride = 1};
	while (cores_of(&s) * s.threads > WILD_CPUS) {
		if (s.cores > 1)
			s.cores--;
		else
			s.l3--;
	}
	return s;
}

static void
fill_cpus(struct wildhost *h, const struct shape *s)
{
	unsigned int n_cores = cores_of(s);
	unsigned int per_node = s->l3 * s->cores;

	for (unsigned int thread = 0; thread < s->threads; thread++) {
		for (unsigned int core = 0; core < n_cores; core++) {
			unsigned int node = core / per_node;
			unsigned int package = node / at_least_one(s->nodes);
			bool small = s->hybrid && core >= n_cores / 2;
			unsigned int cpu = s->adjacent ? core * s->threads + thread
						       : thread * n_cores + core;
			int64_t l3 = s->wide_l3 ? package : core / s->cores;

			if (small && thread > 0)
				continue;
			h->cpus[h->n_cpus++] = (struct topo_cpu_facts){
				.cpu = cpu * (s->gap + 1),
				.core_key = core,
				.l2_key = core,
				.l3_key = s->no_l3 ? TOPO_NONE : l3,
				.package_id = package,
				.node_id = s->nodes == 0 ? TOPO_NONE
							 : (int)(node * s->node_stride),
				.kind = !s->hybrid ? TOPO_KIND_UNKNOWN
					: small	   ? TOPO_KIND_EFFICIENCY
						   : TOPO_KIND_PERFORMANCE,
			};
		}
	}
}

static void
add_node(struct wildhost *h, unsigned int id)
{
	h->nodes[h->n_nodes++] = (struct topo_node_facts){
		.id = id,
		.mem_kib = UINT64_C(32) << 20,
		.mem_known = true,
		.free_kib = UINT64_C(16) << 20,
	};
}

static void
fill_distances(struct wildhost *h, const struct shape *s, struct chance *c)
{
	bool odd = chance_of(c, 15);

	h->has_distances = chance_of(c, 85);
	for (unsigned int i = 0; i < h->n_nodes; i++) {
		for (unsigned int j = 0; j < h->n_nodes; j++) {
			unsigned int ns =
				i / at_least_one(s->nodes) == j / at_least_one(s->nodes)
					? 12
					: 32;

			if (odd)
				ns = 11 + chance_below(c, 60);
			h->distances[i * h->n_nodes + j] = i == j ? 10 : ns;
		}
	}
}

void
wildhost_draw(struct wildhost *h, struct chance *c)
{
	struct shape s = draw_shape(c);
	unsigned int n = s.packages * s.nodes;
	bool isolated;

	*h = (struct wildhost){0};
	fill_cpus(h, &s);
	for (unsigned int i = 0; i < n; i++)
		add_node(h, i * s.node_stride);
	if (n > 0 && chance_of(c, 12)) /* memory only */
		add_node(h, n * s.node_stride + chance_below(c, 3));
	fill_distances(h, &s, c);
	if (n > 0 && chance_of(c, 8)) /* the last core has no node */
		for (unsigned int i = 0; i < h->n_cpus; i++) {
			if (h->cpus[i].core_key == cores_of(&s) - 1)
				h->cpus[i].node_id = TOPO_NONE;
		}
	isolated = chance_of(c, 20);
	for (unsigned int i = 0; isolated && i < h->n_cpus; i++) {
		if (chance_of(c, 25))
			cpuset_add(&h->isolated, h->cpus[i].cpu);
	}
}

struct cpuset
wildhost_cpus(const struct wildhost *h)
{
	struct cpuset cpus = CPUSET_NONE;

	for (unsigned int i = 0; i < h->n_cpus; i++)
		cpuset_add(&cpus, h->cpus[i].cpu);
	return cpus;
}

void
wildhost_renumber(struct wildhost *h, const unsigned int *to)
{
	struct cpuset isolated = CPUSET_NONE;

	for (unsigned int i = 0; i < h->n_cpus; i++)
		h->cpus[i].cpu = to[h->cpus[i].cpu];
	cpuset_foreach (cpu, &h->isolated)
		cpuset_add(&isolated, to[cpu]);
	h->isolated = isolated;
}

struct host
wildhost_build(const struct wildhost *h, const struct cpuset *offline)
{
	struct wildhost copy = *h;
	struct topo_facts f = {
		.cpus = copy.cpus,
		.n_nodes = h->n_nodes,
		.nodes = copy.nodes,
		.distances = h->has_distances ? copy.distances : NULL,
		.isolated = h->isolated,
	};

	for (unsigned int i = 0; i < h->n_cpus; i++) {
		if (!cpuset_has(offline, h->cpus[i].cpu))
			copy.cpus[f.n_cpus++] = h->cpus[i];
	}
	return host_of(&f);
}
