// SPDX-License-Identifier: MIT
/*
 * What whole cores change is the way between siblings, which is nothing on one core,
 * and sharing, of which there is more when the group would have had idle cores. What
 * others do is no part of it: there are none on its node. So the gain of a group stays
 * the same until somebody comes, and plans come to rest.
 */
#include "config.h"

#include "place/narrow.h"

#include <stdlib.h>

#include "base/xalloc.h"
#include "place/candidates.h"
#include "place/guestcore.h"
#include "place/pin.h"

/* Sums of loads that differ by less are the same. */
#define NARROW_ROUNDING 1e-6

/* It has vCPUs that are siblings. */
static bool
has_siblings(const struct world *w, const struct world_group *g)
{
	return g->role == WORLD_FLOAT && g->in->threads_per_core > 1 &&
	       w->vms[g->vm].n_groups == 1 && g->in->n_guest_nodes < 2;
}

/* It may have cores, whoever else is there. */
static bool
suits(const struct world *w, const struct world_group *g)
{
	return has_siblings(w, g) && g->in->mode == PLACE_AUTO && g->waited == NULL &&
	       !(g->in->cpulimit > 0);
}

/* CPU use by others on @cpus. */
static double
background(const struct world *w, const struct cpuset *cpus)
{
	double sum = 0;

	cpuset_foreach (cpu, cpus)
		sum += world_background(w, (unsigned int)w->in->topo->pu_of_cpu[cpu]);
	return sum;
}

/* No VM but this one may run on its node, and what else the host does there is less
 * than @busy for each CPU. */
static bool
is_alone(const struct world *w, const struct world_group *g, double busy)
{
	unsigned int node = (unsigned int)g->node;
	double others = world_load_of_others(w, g, node);
	double host = background(w, &w->tree->nodes[node].cpus);

	return others - host < NARROW_ROUNDING &&
	       host <= busy * w->tree->nodes[node].n_cpus;
}

/* It may have all of @node, which is of one NUMA node: everywhere in it memory and
 * devices are as near, and all cores are of one kind. */
static bool
is_even(const struct world *w, const struct world_group *g, unsigned int node)
{
	const struct topo *topo = w->in->topo;
	const struct tree_node *tn = &w->tree->nodes[node];
	const struct topo_pu *first = topo_pu_of(topo, cpuset_next(&tn->cpus, 0));

	if (g->apart || world_room(w, g, node) < tn->n_cpus ||
		(tn->n_small > 0 && tn->n_small < tn->n_cpus))
		return false;
	return first->node == TOPO_NONE
		       ? topo->n_nodes == 0
		       : cpuset_within(&tn->cpus, &topo->nodes[first->node].cpus);
}

static struct cpuset
union_of(const struct cpuset *masks, unsigned int n)
{
	struct cpuset all = CPUSET_NONE;

	for (unsigned int v = 0; v < n; v++)
		all = cpuset_or(&all, &masks[v]);
	return all;
}

static int
core_of(const struct world *w, const struct cpuset *mask)
{
	unsigned int cpu = cpuset_next(mask, 0);

	return w->in->topo->pus[w->in->topo->pu_of_cpu[cpu]].core;
}

static const struct cpuset *
core_cpus(const struct world *w, const struct cpuset *mask)
{
	return &w->in->topo->cores[core_of(w, mask)].cpus;
}

/* Each guest core has one of @cores, whole, with a CPU for each of its threads. */
static bool
is_one_to_one(
	const struct world *w, const struct world_group *g, const struct cpuset *cores)
{
	struct guest_cores guest = guestcore_list(g);
	auto_free int *of = xcalloc(guest.n, sizeof(*of));
	bool ok = true;

	for (unsigned int i = 0; i < guest.n; i++) {
		of[i] = -1;
		ok = ok && guest.size[i] == g->in->threads_per_core;
	}
	for (unsigned int v = 0; v < g->n_vcpus && ok; v++) {
		unsigned int i = guest.of[v];

		if (of[i] < 0)
			of[i] = core_of(w, &cores[v]);
		ok = of[i] == core_of(w, &cores[v]) &&
		     cpuset_equal(&cores[v], core_cpus(w, &cores[v])) &&
		     cpuset_count(&cores[v]) == guest.size[i];
	}
	guestcore_fini(&guest);
	return ok;
}

/* One mask for all which is an L3 group or a node as well: that is a domain of another
 * tree, in which a VM may stay (adopt.c), and no core that it was given. */
static bool
is_domain(const struct topo *topo, const struct cpuset *cpus)
{
	for (unsigned int i = 0; i < topo->n_l3; i++) {
		if (cpuset_equal(&topo->l3[i].cpus, cpus))
			return true;
	}
	for (unsigned int i = 0; i < topo->n_nodes; i++) {
		if (cpuset_equal(&topo->nodes[i].cpus, cpus))
			return true;
	}
	return false;
}

/* Guest cores and @cores are as many, and no smaller node than @node has them all: the
 * group would rather go there. */
static bool
match(const struct world *w, const struct world_group *g, unsigned int node,
	const struct cpuset *cores)
{
	struct cpuset all = union_of(cores, g->n_vcpus);

	return cpuset_within(&all, &w->usable) && cpuset_count(&all) == g->n_vcpus &&
	       w->tree->nodes[node].n_cores > 1 &&
	       !(cpuset_equal(&all, &cores[0]) && is_domain(w->in->topo, &all)) &&
	       tree_around(w->tree, w->in->topo, &all) == node &&
	       is_one_to_one(w, g, cores);
}

bool
narrow_reads(const struct world *w, const struct world_group *g, struct cpuset *cpus)
{
	const struct plan_vm *in = g->in;
	struct cpuset all = CPUSET_NONE;

	if (!has_siblings(w, g) || !in->placed)
		return false;
	for (unsigned int v = 0; v < g->n_current; v++) {
		const struct cpuset *has = &in->current[g->vcpus[v]];
		struct cpuset cut = cpuset_and(has, &w->classes[g->cls].allowed);

		if (cpuset_count(has) < 2) /* a CPU alone is not of this mode */
			return false;
		if (!cpuset_empty(&cut) && !cpuset_within(&cut, core_cpus(w, &cut)))
			return false;
		all = cpuset_or(&all, &cut);
	}
	if (cpuset_empty(&all))
		return false;
	*cpus = all;
	return true;
}

bool
narrow_adopt(struct world *w, struct world_group *g, unsigned int node)
{
	const struct plan_vm *in = g->in;

	if (!suits(w, g) || g->n_current < g->n_vcpus || !is_even(w, g, node))
		return false;
	g->cores = xcalloc(g->n_vcpus, sizeof(*g->cores));
	for (unsigned int v = 0; v < g->n_vcpus; v++) {
		g->cores[v] = cpuset_and(&in->current[g->vcpus[v]], &w->usable);
		if (cpuset_empty(&g->cores[v]) ||
			!cpuset_equal(&g->cores[v], &in->current[g->vcpus[v]])) {
			narrow_release(g);
			return false;
		}
	}
	if (!match(w, g, node, g->cores))
		narrow_release(g);
	return g->cores != NULL;
}

void
narrow_release(struct world_group *g)
{
	free(g->cores);
	g->cores = NULL;
}

void
narrow_review(struct world *w)
{
	for (unsigned int i = 0; i < w->n_groups; i++) {
		struct world_group *g = &w->groups[i];

		if (g->cores == NULL ||
			(g->node == g->first && is_alone(w, g, NARROW_BUSY_LEAVE)))
			continue;
		narrow_release(g);
		if (g->cause == WORLD_KEPT)
			g->cause = WORLD_GROWN;
	}
}

bool
narrow_has_spare(const struct world *w)
{
	unsigned int root = tree_root(w->tree);

	return w->below[root] <= (1 - NARROW_SPARE) * w->tree->nodes[root].n_cores;
}

struct cpuset *
narrow_find(struct world *w, const struct world_group *g)
{
	struct cpuset *cores;

	if (!suits(w, g) || g->cores != NULL || g->node < 0 ||
		!is_even(w, g, (unsigned int)g->node) ||
		!is_alone(w, g, NARROW_BUSY_COME))
		return NULL;
	cores = xcalloc(g->n_vcpus, sizeof(*cores));
	if (pin_fits(w, g, (unsigned int)g->node, cores) &&
		match(w, g, (unsigned int)g->node, cores))
		return cores;
	free(cores);
	return NULL;
}

/* Mean latency between two vCPUs: nothing to a sibling, as within one core. */
static double
communication(
	const struct world *w, const struct world_group *g, const struct cpuset *cores)
{
	const struct topo *topo = w->in->topo;
	unsigned int each = g->in->threads_per_core;
	auto_free unsigned int *pus = xcalloc(g->n_vcpus, sizeof(*pus));
	struct cpuset all = union_of(cores, g->n_vcpus);
	unsigned int n = 0;
	double sum = 0;

	cpuset_foreach (cpu, &all) {
		struct cpuset one = cpuset_of(cpu);

		if (cpuset_next(core_cpus(w, &one), 0) == cpu)
			pus[n++] = (unsigned int)topo->pu_of_cpu[cpu];
	}
	for (unsigned int a = 0; a < n; a++) {
		for (unsigned int b = 0; b < n; b++)
			sum += a == b ? 0
				      : (double)lat_ns(&w->in->latency, pus[a], pus[b]);
	}
	return sum * each * each / ((double)g->n_vcpus * (g->n_vcpus - 1));
}

double
narrow_sharing(
	const struct world *w, const struct world_group *g, const struct cpuset *cores)
{
	unsigned int each = g->in->threads_per_core;
	double sum = 0;

	for (unsigned int v = 0; v < g->n_vcpus; v++)
		sum += objective_sharing(each, 1,
			g->demand * each / g->n_vcpus + background(w, &cores[v]));
	return sum / g->n_vcpus;
}

void
narrow_terms(const struct world *w, const struct world_group *g,
	const struct cpuset *cores, struct terms *out)
{
	const struct tree_node *tn = &w->tree->nodes[g->node];
	double load = world_load_of_others(w, g, (unsigned int)g->node) + g->demand;
	double more = narrow_sharing(w, g, cores) -
		      objective_sharing(tn->n_cpus, tn->n_cores, load);

	candidates_terms(w, g, (unsigned int)g->node, out);
	out->ns[TERM_SMT] += candidates_sharing_ns(w, more) *
			     candidates_sharing_demand(g) / g->demand;
	out->ns[TERM_COMMUNICATION] =
		w->in->policy->weights[TERM_COMMUNICATION] * communication(w, g, cores);
}

double
narrow_gain(
	const struct world *w, const struct world_group *g, const struct cpuset *cores)
{
	struct terms floating;
	struct terms narrow;

	candidates_terms(w, g, (unsigned int)g->node, &floating);
	narrow_terms(w, g, cores, &narrow);
	return g->demand * (terms_sum(&floating) - terms_sum(&narrow));
}

struct cpuset
narrow_cpus(const struct world *w, const struct world_group *g)
{
	return g->cores != NULL ? union_of(g->cores, g->n_vcpus)
				: world_mask(w, g, (unsigned int)g->node);
}
