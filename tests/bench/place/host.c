// SPDX-License-Identifier: MIT
/* Presets, matrices and trees become hosts whose CPUs can go and come. */
#include "config.h"

#include "host.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "host/load.h"
#include "hosts.h"
#include "measured.h"
#include "trees.h"

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

/* Matrices of real machines with what their firmware tells. */
static void
add_matrices(struct bench_hosts *all)
{
	static const struct {
		const char *name;
		struct measured_tree tree;
	} machines[] = {
		{"amd-epyc-7742-2s-256t", {256, 2, .l3 = 4, .node = 64, .package = 64}},
		{"amd-ryzen-9-5900hx-16t",
			{16, 2, true, .l3 = 8, .node = 8, .package = 8}},
		{"amd-ryzen-9-7950x-32t",
			{32, 2, true, .l3 = 8, .node = 16, .package = 16}},
		{"amd-threadripper-1950x-32t",
			{32, 2, .l3 = 4, .node = 8, .package = 16}},
		{"aws-graviton3-64t", {64, 1, .l3 = 64, .node = 64, .package = 64}},
		{"hisilicon-kunpeng-920-2s-64c",
			{64, 1, .l3 = 32, .node = 32, .package = 32}},
		{"ibm-power7-2s-8c", {16, 1, .node = 8, .package = 8}},
		{"intel-core-12900k-hybrid-24t",
			{24, 2, true, .singles = 8, .l2 = 4, .l3 = 16, .package = 16}},
		{"intel-xeon-6242-2s-64t",
			{64, 2, .l3 = 16, .node = 16, .package = 16}},
		{"intel-xeon-8375c-128t",
			{128, 2, .l3 = 32, .node = 32, .package = 32}},
		{"intel-xeon-phi-7210-64c",
			{64, 1, .singles = 64, .l2 = 2, .node = 64}},
	};

	for (size_t i = 0; i < ARRAY_LEN(machines); i++) {
		char name[64];

		(void)snprintf(name, sizeof(name), "measured/%s", machines[i].name);
		add(all, name, measured_topo(&machines[i].tree),
			measured_load(machines[i].name));
	}
}

static void
add_tree(struct bench_hosts *all, const char *dir)
{
	const char *base = strrchr(dir, '/');
	auto_free char *name = xasprintf("tree%s", base);
	struct topo *t = NULL;
	struct err e = ERR_NONE;

	if (host_load(dir, &t, &e) < 0) {
		(void)fprintf(stderr, "%s: %s\n", name, e.text);
		return;
	}
	/* on a few CPUs there is nothing to be placed */
	if (t->n_pus < 8)
		topo_free(t);
	else
		add(all, name, t, NULL);
}

/* Unpacks the trees of real machines for as long as they are read. */
static void
add_trees(struct bench_hosts *all)
{
	char *dir = trees_new();
	auto_free char *command = xasprintf("for f in '%s'/topologies/*.tar.xz; do "
					    "tar -xJf \"$f\" -C %s || exit 1; done",
		getenv("QMPIN_SHARED"), dir);
	auto_free char *pattern = xasprintf("%s/*", dir);
	glob_t found;

	if (system(command) == 0 && glob(pattern, 0, NULL, &found) == 0) {
		for (size_t i = 0; i < found.gl_pathc; i++)
			add_tree(all, found.gl_pathv[i]);
		globfree(&found);
	}
	trees_remove(dir);
}

struct bench_hosts
bench_hosts_load(bool real)
{
	struct bench_hosts all = {0};

	add_specs(&all);
	if (real && measured_available()) {
		add_matrices(&all);
		add_trees(&all);
	}
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
			.node_id = pu->node == TOPO_NONE ? TOPO_NONE
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
