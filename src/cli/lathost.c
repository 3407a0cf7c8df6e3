// SPDX-License-Identifier: MIT
/* Models of hosts, made of facts that cannot contradict each other. Pure. */
#include "config.h"

#include "cli/lathost.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

/* Takes the facts. */
static struct topo *
build(struct topo_facts *f)
{
	struct topo *t = NULL;

	if (topo_build(f, &t, NULL) < 0)
		abort(); /* our own bug: see above */
	topo_facts_fini(f);
	return t;
}

struct topo *
lathost_bare(const struct cpuset *cpus)
{
	struct topo_facts f = {0};

	f.cpus = xcalloc(cpuset_count(cpus), sizeof(*f.cpus));
	cpuset_foreach (cpu, cpus)
		f.cpus[f.n_cpus++] = (struct topo_cpu_facts){.cpu = cpu,
			.core_key = TOPO_NONE,
			.l2_key = TOPO_NONE,
			.l3_key = TOPO_NONE,
			.package_id = TOPO_NONE,
			.node_id = TOPO_NONE};
	return build(&f);
}

/* Groups are named by their index, packages by their id. */
static struct topo_cpu_facts
facts_of(const struct topo *t, const struct topo_pu *pu)
{
	return (struct topo_cpu_facts){
		.cpu = pu->cpu,
		.core_key = pu->core,
		.l2_key = pu->l2,
		.l3_key = pu->l3,
		.package_id = pu->package == TOPO_NONE
				      ? TOPO_NONE
				      : (int64_t)t->packages[pu->package].id,
		.node_id =
			pu->node == TOPO_NONE ? TOPO_NONE : (int)t->nodes[pu->node].id,
		.kind = pu->kind,
		.l2_kib = pu->l2 == TOPO_NONE ? 0 : t->l2[pu->l2].size_kib,
		.l3_kib = pu->l3 == TOPO_NONE ? 0 : t->l3[pu->l3].size_kib,
	};
}

static void
copy_nodes(const struct topo *t, struct topo_facts *f)
{
	size_t cells = (size_t)t->n_nodes * t->n_nodes;

	f->n_nodes = t->n_nodes;
	f->nodes = xcalloc(t->n_nodes, sizeof(*f->nodes));
	for (unsigned int i = 0; i < t->n_nodes; i++) {
		const struct topo_node *n = &t->nodes[i];

		f->nodes[i] = (struct topo_node_facts){
			n->id, n->mem_kib, n->mem_known, n->free_kib};
	}
	if (t->distances == NULL)
		return;
	f->distances = xcalloc(cells, sizeof(*f->distances));
	memcpy(f->distances, t->distances, cells * sizeof(*f->distances));
}

struct topo *
lathost_part(const struct topo *t, const struct cpuset *cpus)
{
	struct topo_facts f = {.isolated = t->isolated,
		.isolcpus = t->isolcpus,
		.offline = t->offline};

	f.cpus = xcalloc(t->n_pus, sizeof(*f.cpus));
	for (unsigned int i = 0; i < t->n_pus; i++) {
		if (cpuset_has(cpus, t->pus[i].cpu))
			f.cpus[f.n_cpus++] = facts_of(t, &t->pus[i]);
	}
	copy_nodes(t, &f);
	return build(&f);
}
