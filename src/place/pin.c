// SPDX-License-Identifier: MIT
/*
 * Pinned groups in the world: who gets PUs, what masks that makes. Which PUs is
 * pinchoice's to say. A guest core on a host core is noted by a PU of it.
 */
#include "config.h"

#include "place/pin.h"

#include <stdlib.h>

#include "base/xalloc.h"
#include "place/guestcore.h"
#include "place/pinchoice.h"

static const struct cpuset *
core_cpus(const struct world *w, unsigned int pu)
{
	const struct topo *topo = w->in->topo;

	return &topo->cores[topo->pus[pu].core].cpus;
}

struct cpuset
pin_mask(const struct world *w, const struct world_group *g, unsigned int i)
{
	unsigned int pu = (unsigned int)g->pins[i];

	if (!g->whole_cores)
		return cpuset_of(w->in->topo->pus[pu].cpu);
	return cpuset_and(core_cpus(w, pu), &w->classes[g->cls].allowed);
}

struct cpuset
pin_cpus(const struct world *w, const struct world_group *g)
{
	struct cpuset cpus = CPUSET_NONE;

	for (unsigned int v = 0; v < g->n_vcpus; v++) {
		struct cpuset mask;

		if (g->pins[v] < 0 || w->tree->leaf_of_pu[g->pins[v]] < 0)
			continue;
		mask = pin_mask(w, g, v);
		cpus = cpuset_or(&cpus, &mask);
	}
	return cpus;
}

unsigned int
pin_in_core(const struct world *w, const struct world_group *g, unsigned int core)
{
	const struct topo *topo = w->in->topo;
	struct cpuset cpus =
		cpuset_and(&topo->cores[core].cpus, &w->classes[g->cls].allowed);
	unsigned int best = (unsigned int)topo->pu_of_cpu[cpuset_next(&cpus, 0)];

	cpuset_foreach (cpu, &cpus) {
		unsigned int pu = (unsigned int)topo->pu_of_cpu[cpu];

		if (w->taken[pu] < w->taken[best])
			best = pu;
	}
	return best;
}

/* vCPUs that are pinned to a core. */
static unsigned int
vcpus_on(const struct world *w, unsigned int pu)
{
	const struct cpuset *core = core_cpus(w, pu);
	unsigned int n = 0;

	cpuset_foreach (cpu, core)
		n += w->taken[w->in->topo->pu_of_cpu[cpu]];
	return n;
}

static unsigned int
cores_stacked(const struct world *w, const struct world_group *g)
{
	struct guest_cores guest = guestcore_list(g);
	unsigned int n = 0;

	for (unsigned int v = 0; v < g->n_vcpus; v++)
		n += vcpus_on(w, (unsigned int)g->pins[v]) > guest.size[guest.of[v]];
	guestcore_fini(&guest);
	return n;
}

unsigned int
pin_stacked(const struct world *w, const struct world_group *g)
{
	unsigned int n = 0;

	if (g->whole_cores)
		return cores_stacked(w, g);
	for (unsigned int v = 0; v < g->n_vcpus; v++)
		n += w->taken[g->pins[v]] > 1;
	return n;
}

void
pin_place(struct world *w, struct world_group *g)
{
	auto_free int *pins = xcalloc(g->n_vcpus, sizeof(*pins));
	struct cpuset cpus = pin_cpus(w, g);
	unsigned int n = 0;

	for (unsigned int v = 0; v < g->n_vcpus; v++)
		n += g->pins[v] < 0;
	if (n == 0)
		return;
	(void)pinchoice_make(w, g, pins);
	for (unsigned int v = 0; v < g->n_vcpus; v++) {
		if (g->pins[v] < 0)
			cpuset_add(&cpus, w->in->topo->pus[pins[v]].cpu);
	}
	g->load_before = world_load(w, tree_around(w->tree, w->in->topo, &cpus));
	for (unsigned int v = 0; v < g->n_vcpus; v++) {
		if (g->pins[v] < 0)
			world_pin(w, g, v, pins[v]);
	}
}

bool
pin_fits(struct world *w, const struct world_group *g, unsigned int node,
	struct cpuset *masks)
{
	struct world_group trial = *g;
	struct cpuset cpus = world_mask(w, g, node);
	auto_free int *none = xcalloc(g->n_vcpus, sizeof(*none));
	auto_free int *pins = xcalloc(g->n_vcpus, sizeof(*pins));

	for (unsigned int v = 0; v < g->n_vcpus; v++)
		none[v] = -1;
	trial.cls = world_class_of(w, &cpus);
	trial.whole_cores = true;
	trial.pins = none;
	if (pinchoice_make(w, &trial, pins).stacked > 0)
		return false;
	trial.pins = pins;
	for (unsigned int v = 0; v < g->n_vcpus; v++)
		masks[v] = pin_mask(w, &trial, v);
	return true;
}

bool
pin_elsewhere(struct world *w, const struct world_group *g, struct cpuset *masks)
{
	struct world_group trial = *g;
	struct cpuset has = pin_cpus(w, g);
	struct cpuset rest = cpuset_minus(&w->classes[g->cls].allowed, &has);
	auto_free int *none = xcalloc(g->n_vcpus, sizeof(*none));
	auto_free int *pins = xcalloc(g->n_vcpus, sizeof(*pins));

	if (cpuset_count(&rest) < g->n_vcpus)
		return false;
	for (unsigned int v = 0; v < g->n_vcpus; v++)
		none[v] = -1;
	trial.cls = world_class_of(w, &rest);
	trial.pins = none;
	(void)pinchoice_make(w, &trial, pins);
	trial.pins = pins;
	for (unsigned int v = 0; v < g->n_vcpus; v++)
		masks[v] = pin_mask(w, &trial, v);
	return true;
}
