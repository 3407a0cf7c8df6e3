// SPDX-License-Identifier: MIT
/* Hosts from a few numbers. */
#include "config.h"

#include "hosts.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/xalloc.h"

/* Source of the first two: synth.py presets amd-epyc-9354-nps4, amd-epyc-7351p-nps4. */
const struct host_spec host_9354 = {"epyc-9354", 1, 4, 2, 4, 2, 0};
const struct host_spec host_7351p = {"epyc-7351p", 1, 4, 2, 2, 2, 0};
const struct host_spec host_9654_2s = {"2_x_epyc-9654_nps4", 2, 4, 3, 8, 2, 0};
const struct host_spec host_9654_nps1 = {"2_x_epyc-9654_nps1", 2, 1, 12, 8, 2, 0};
const struct host_spec host_xeon_2s = {"2_x_xeon", 2, 1, 1, 16, 2, 0};
const struct host_spec host_snc = {"2_x_xeon_snc2", 2, 2, 0, 8, 2, 0};
const struct host_spec host_hybrid = {"hybrid", 1, 1, 1, 24, 2, 16};
const struct host_spec host_flat2 = {"vm_with_2_cpus", 1, 0, HOST_NO_L3, 2, 1, 0};
const struct host_spec host_1cpu = {"1_cpu", 1, 1, 1, 1, 1, 0};

static unsigned int
at_least_one(unsigned int n)
{
	return n > 0 ? n : 1;
}

static struct topo_cpu_facts
cpu_facts(const struct host_spec *s, unsigned int cpu, unsigned int core)
{
	unsigned int l3_per_node = s->l3 == HOST_NO_L3 ? 1 : at_least_one(s->l3);
	unsigned int per_node = s->cores * l3_per_node;
	unsigned int node = core / per_node;
	unsigned int socket = node / at_least_one(s->nodes);
	int64_t l3 = s->l3 == 0 ? socket : core / s->cores;

	return (struct topo_cpu_facts){
		.cpu = cpu,
		.core_key = core,
		.l2_key = core,
		.l3_key = s->l3 == HOST_NO_L3 ? TOPO_NONE : l3,
		.package_id = socket,
		.node_id = s->nodes == 0 ? TOPO_NONE : (int)node,
		.kind = TOPO_KIND_UNKNOWN,
	};
}

static void
fill_cpus(const struct host_spec *s, struct topo_facts *f, const struct cpuset *offline)
{
	unsigned int n_cores = s->sockets * at_least_one(s->nodes) * s->cores *
			       (s->l3 == HOST_NO_L3 ? 1 : at_least_one(s->l3));
	unsigned int cpu = 0;

	f->cpus = xcalloc((size_t)n_cores * s->smt, sizeof(*f->cpus));
	for (unsigned int thread = 0; thread < s->smt; thread++) {
		unsigned int n = thread == 0 ? n_cores : n_cores - s->single;

		for (unsigned int core = 0; core < n; core++, cpu++) {
			if (!cpuset_has(offline, cpu))
				f->cpus[f->n_cpus++] = cpu_facts(s, cpu, core);
		}
	}
}

static void
fill_nodes(const struct host_spec *s, struct topo_facts *f)
{
	unsigned int n = s->sockets * s->nodes;

	f->n_nodes = n;
	f->nodes = xcalloc(n, sizeof(*f->nodes));
	f->distances = xcalloc((size_t)n * n, sizeof(*f->distances));
	for (unsigned int i = 0; i < n; i++) {
		f->nodes[i] = (struct topo_node_facts){
			.id = i,
			.mem_kib = UINT64_C(64) << 20,
			.mem_known = true,
			.free_kib = UINT64_C(48) << 20,
		};
		for (unsigned int j = 0; j < n; j++) {
			if (i == j)
				f->distances[i * n + j] = 10;
			else
				f->distances[i * n + j] =
					i / s->nodes == j / s->nodes ? 12 : 32;
		}
	}
}

struct host
host_of(const struct topo_facts *f)
{
	struct err e = ERR_NONE;
	struct host h;

	if (topo_build(f, &h.topo, &e) < 0) {
		fprintf(stderr, "host: %s\n", e.text);
		abort();
	}
	h.ns = lat_class_matrix(h.topo, lat_classes_default());
	h.lat = (struct lat_view){.ns = h.ns, .n = h.topo->n_pus};
	h.ranking = ranking_from_topo(h.topo, &h.lat);
	return h;
}

struct host
host_make(const struct host_spec *s, const struct cpuset *offline,
	const struct cpuset *isolated)
{
	struct topo_facts f = {.isolated = *isolated};
	struct host h;

	fill_cpus(s, &f, offline);
	fill_nodes(s, &f);
	h = host_of(&f);
	free(f.cpus);
	free(f.nodes);
	free(f.distances);
	return h;
}

struct host
host_full(const struct host_spec *spec)
{
	struct cpuset none = CPUSET_NONE;

	return host_make(spec, &none, &none);
}

void
host_fini(struct host *h)
{
	ranking_free(h->ranking);
	topo_free(h->topo);
	free(h->ns);
}
