// SPDX-License-Identifier: MIT
/* Presets, matrices and trees become hosts whose CPUs can go and come. */
#include "config.h"

#include "host.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/xalloc.h"
#include "hosts.h"

static const struct host_spec ampere_80 = {
	"ampere-altra-2s-80", 2, 1, HOST_NO_L3, 80, 1, 0};
static const struct host_spec ampere_128 = {
	"ampere-altra-2s-128", 2, 1, HOST_NO_L3, 128, 1, 0};

static struct bench_host *
add(struct bench_hosts *all, const char *name, struct topo *t, struct matrix *m)
{
	struct bench_host *h;

	all->hosts = xrealloc(all->hosts, all->n + 1, sizeof(*all->hosts));
	h = &all->hosts[all->n++];
	*h = (struct bench_host){.name = xstrdup(name), .topo = t, .matrix = m};
	h->ns = m != NULL ? lat_measured_matrix(t, lat_classes_default(), m)
			  : lat_class_matrix(t, lat_classes_default());
	return h;
}

static void
add_specs(struct bench_hosts *all)
{
	static const struct {
		const struct host_spec *spec;
		bool usual;
	} specs[] = {
		{&host_9354, true},
		{&host_7351p, true},
		{&host_xeon_2s, true},
		{&ampere_80, true},
		{&host_9654_2s, true},
		{&host_9654_nps1, false},
		{&host_snc, false},
		{&ampere_128, false},
		{&host_hybrid, false},
	};

	for (size_t i = 0; i < ARRAY_LEN(specs); i++) {
		struct host h = host_full(specs[i].spec);

		add(all, specs[i].spec->name, h.topo, NULL)->usual = specs[i].usual;
		h.topo = NULL;
		host_fini(&h);
	}
}

struct bench_hosts
bench_hosts_load(bool real)
{
	struct bench_hosts all = {0};

	(void)real;
	add_specs(&all);
	return all;
}

void
bench_hosts_fini(struct bench_hosts *all)
{
	for (unsigned int i = 0; i < all->n; i++) {
		free(all->hosts[i].name);
		topo_free(all->hosts[i].topo);
		free(all->hosts[i].ns);
		matrix_free(all->hosts[i].matrix);
	}
	free(all->hosts);
}

struct lat_view
bench_host_lat(const struct bench_host *h)
{
	return (struct lat_view){.ns = h->ns, .n = h->topo->n_pus};
}

/* What a host's firmware would tell without some CPUs. */
static struct topo_facts
facts_of(const struct topo *t, const struct cpuset *offline)
{
	struct topo_facts f = {.isolated = t->isolated, .n_nodes = t->n_nodes};
	size_t n_distances = (size_t)t->n_nodes * t->n_nodes;

	f.cpus = xcalloc(t->n_pus, sizeof(*f.cpus));
	for (unsigned int i = 0; i < t->n_pus; i++) {
		const struct topo_pu *pu = &t->pus[i];

		if (cpuset_has(offline, pu->cpu))
			continue;
		f.cpus[f.n_cpus++] = (struct topo_cpu_facts){
			.cpu = pu->cpu,
			.core_key = pu->core,
			.l2_key = pu->l2,
			.l3_key = pu->l3,
			.package_id = pu->package,
			.node_id = pu->node == TOPO_NONE
					   ? TOPO_NONE
					   : (int)t->nodes[pu->node].id,
			.kind = pu->kind,
		};
	}
	f.nodes = xcalloc(t->n_nodes, sizeof(*f.nodes));
	for (unsigned int i = 0; i < t->n_nodes; i++)
		f.nodes[i] = (struct topo_node_facts){.id = t->nodes[i].id,
			.mem_kib = t->nodes[i].mem_kib,
			.mem_known = t->nodes[i].mem_known,
			.free_kib = t->nodes[i].free_kib};
	if (t->distances != NULL) {
		f.distances = xcalloc(n_distances, sizeof(*f.distances));
		for (size_t i = 0; i < n_distances; i++)
			f.distances[i] = t->distances[i];
	}
	return f;
}

int
bench_host_make(void *owner, const struct cpuset *offline, struct topo **topo,
	struct ranking **ranking, float **ns, struct err *e)
{
	const struct bench_host *h = owner;
	struct topo_facts f = facts_of(h->topo, offline);
	struct lat_view lat;
	int r = topo_build(&f, topo, e);

	topo_facts_fini(&f);
	if (r < 0)
		return r;
	if (h->matrix == NULL) {
		*ns = lat_class_matrix(*topo, lat_classes_default());
		lat = (struct lat_view){*ns, (*topo)->n_pus};
		*ranking = ranking_from_topo(*topo, &lat);
	} else {
		*ns = lat_measured_matrix(*topo, lat_classes_default(), h->matrix);
		lat = (struct lat_view){*ns, (*topo)->n_pus};
		*ranking = ranking_from_matrix(*topo, h->matrix, &lat);
	}
	return 0;
}
