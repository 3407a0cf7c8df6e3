// SPDX-License-Identifier: MIT
/*
 * Memory of groups. taken_gib of a group and free_gib of the world change together,
 * here.
 */
#include "config.h"

#include "place/footprint.h"

#include "base/xalloc.h"
#include "place/residency.h"

/* A guest with more memory is a mistake, and must not become an infinite sum. */
#define MEMORY_GIB_MAX 1e6

void
footprint_set_up(struct world *w)
{
	unsigned int n = w->in->topo->n_nodes;

	w->remote = residency_costs(w->in->topo);
	w->touched = xcalloc(n, sizeof(*w->touched));
	if (w->in->node_free_gib == NULL)
		return;
	w->free_gib = xcalloc(n, sizeof(*w->free_gib));
	for (unsigned int i = 0; i < n; i++)
		w->free_gib[i] = w->in->node_free_gib[i];
}

/* Memory of a guest node that is bound: on all of its host nodes alike, as nobody says
 * more. */
static void
bind_memory(const struct world *w, struct world_group *g)
{
	const struct topo *topo = w->in->topo;
	const struct plan_guest_node *node;
	unsigned int n = 0;

	if (g->guest_node >= g->in->n_guest_nodes)
		return;
	node = &g->in->guest_nodes[g->guest_node];
	if (node->memory_share != NULL || cpuset_empty(&node->host_nodes))
		return;
	g->bound_share = xcalloc(topo->n_nodes, sizeof(*g->bound_share));
	g->memory_share = g->bound_share;
	cpuset_foreach (id, &node->host_nodes)
		n += topo_node_index(topo, id) != TOPO_NONE;
	cpuset_foreach (id, &node->host_nodes) {
		int i = topo_node_index(topo, id);

		if (i != TOPO_NONE)
			g->bound_share[i] = 1.0 / n;
	}
}

void
footprint_of(const struct world *w, struct world_group *g)
{
	const struct plan_vm *vm = g->in;
	double gib = vm->memory_gib * g->n_vcpus / vm->n_vcpus;
	bool unknown = g->memory_share == NULL;

	bind_memory(w, g);
	if (w->free_gib == NULL || vm->placed || !(unknown || g->bound_share != NULL))
		return;
	if (!(gib > 0)) /* not a number neither */
		return;
	g->new_gib = gib < MEMORY_GIB_MAX ? gib : MEMORY_GIB_MAX;
	g->taken_gib = xcalloc(w->in->topo->n_nodes, sizeof(*g->taken_gib));
}

void
footprint_shares(const struct world *w, const struct world_group *g, unsigned int node,
	double *out)
{
	unsigned int n = w->in->topo->n_nodes;
	struct residency_want want = {
		.share = w->classes[g->cls].share + (size_t)node * n,
		.gib = g->new_gib,
		.free_gib = w->free_gib,
		.own_gib = g->taken_gib,
	};

	if (g->memory_share == NULL) {
		residency_touch(w->in->topo, w->remote, &want, out);
		return;
	}
	for (unsigned int i = 0; i < n; i++)
		out[i] = g->memory_share[i];
}

void
footprint_put(struct world *w, struct world_group *g, int node)
{
	unsigned int n = w->in->topo->n_nodes;

	if (g->taken_gib == NULL)
		return;
	for (unsigned int i = 0; i < n; i++) {
		if (w->free_gib[i] >= 0)
			w->free_gib[i] += g->taken_gib[i];
		g->taken_gib[i] = 0;
	}
	if (node < 0)
		return;
	footprint_shares(w, g, (unsigned int)node, w->touched);
	for (unsigned int i = 0; i < n; i++) {
		double takes = w->touched[i] * g->new_gib;

		if (w->free_gib[i] < 0)
			continue;
		if (takes > w->free_gib[i])
			takes = w->free_gib[i];
		g->taken_gib[i] = takes;
		w->free_gib[i] -= takes;
	}
}
