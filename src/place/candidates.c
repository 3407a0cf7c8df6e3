// SPDX-License-Identifier: MIT
/* Candidate domains: which there are and their cost terms. */
#include "config.h"

#include "place/candidates.h"

#include <stdlib.h>

#include "place/footprint.h"
#include "place/residency.h"
#include "place/widen.h"

static const float *
cpu_shares(const struct world *w, const struct world_group *g, unsigned int node)
{
	return w->classes[g->cls].share + (size_t)node * w->in->topo->n_nodes;
}

double
candidates_local_share(
	const struct world *w, const struct world_group *g, unsigned int node)
{
	unsigned int n = w->in->topo->n_nodes;
	const float *share = cpu_shares(w, g, node);
	double local = 0;

	if (n == 0)
		return 1;
	footprint_shares(w, g, node, w->touched);
	for (unsigned int i = 0; i < n; i++)
		local += w->touched[i] * (double)share[i];
	return local;
}

/* Where another group of the VM is, -1: nowhere yet, or on isolated CPUs, which no
 * domain has. */
static int
place_of(const struct world *w, const struct world_group *g)
{
	struct cpuset cpus = CPUSET_NONE;

	if (g->pins == NULL)
		return g->node;
	for (unsigned int v = 0; v < g->n_vcpus; v++) {
		if (g->pins[v] < 0 || w->tree->leaf_of_pu[g->pins[v]] < 0)
			return -1;
		cpuset_add(&cpus, w->in->topo->pus[g->pins[v]].cpu);
	}
	return (int)tree_around(w->tree, w->in->topo, &cpus);
}

/* Mean latency from one of the group's vCPUs to the VM's others. */
static double
communication(const struct world *w, const struct world_group *g, unsigned int node)
{
	const struct world_vm *vm = &w->vms[g->vm];
	double inside = w->tree->nodes[node].latency_ns;
	double sum = inside * (g->n_vcpus - 1.0);

	/* alone it still talks to its emulator and iothreads, which are here too */
	if (g->n_vcpus == vm->in->n_vcpus)
		return inside;
	for (unsigned int i = 0; i < vm->n_groups; i++) {
		const struct world_group *other = &w->groups[vm->first_group + i];
		int at;

		if (other->guest_node == g->guest_node)
			continue;
		at = place_of(w, other);
		sum += other->n_vcpus *
		       (at < 0 ? inside
			       : tree_between_ns(w->tree, node, (unsigned int)at));
	}
	return sum / (vm->in->n_vcpus - 1.0);
}

/* Cost of an access from @node to the memory of @g, which is on @at. */
static double
access_cost(const struct world *w, const float *from, const struct world_group *g,
	unsigned int at)
{
	footprint_shares(w, g, at, w->touched);
	return residency_mean(w->remote, w->in->topo->n_nodes, from, w->touched);
}

/* Mean cost of the accesses of one of the group's vCPUs. */
static double
memory(const struct world *w, const struct world_group *g, unsigned int node)
{
	const struct world_vm *vm = &w->vms[g->vm];
	const float *from = cpu_shares(w, g, node);
	double own;
	double others = 0;

	if (w->in->topo->n_nodes == 0)
		return 0;
	own = access_cost(w, from, g, node);
	if (g->n_vcpus == vm->in->n_vcpus)
		return own;
	for (unsigned int i = 0; i < vm->n_groups; i++) {
		const struct world_group *other = &w->groups[vm->first_group + i];
		int at = place_of(w, other);
		double cost = own;

		if (other->guest_node == g->guest_node)
			continue;
		if (at >= 0)
			cost = access_cost(w, from, other, (unsigned int)at);
		else if (other->memory_share != NULL) /* wherever its vCPUs are */
			cost = access_cost(w, from, other, node);
		others += cost * other->n_vcpus / (vm->in->n_vcpus - g->n_vcpus);
	}
	return OWN_MEMORY_SHARE * own + (1 - OWN_MEMORY_SHARE) * others;
}

double
candidates_sharing_ns(const struct world *w, double shared)
{
	return w->in->policy->weights[TERM_SMT] * w->tree->worst_ns * COST_SMT * shared;
}

double
candidates_sharing_demand(const struct world_group *g)
{
	return g->in->smt == PLACE_SMT_AVOID ? g->demand * COST_SMT_AVOID : g->demand;
}

double
candidates_crowding_ns(const struct world *w, double load_per_core)
{
	return w->in->policy->weights[TERM_FRAGMENTATION] * w->tree->worst_ns *
	       COST_SPREAD * load_per_core;
}

/* Load of the VM's other groups. */
static double
family_load(const struct world *w, const struct world_group *g, unsigned int node)
{
	const struct world_vm *vm = &w->vms[g->vm];
	double load = 0;

	for (unsigned int i = 0; i < vm->n_groups && vm->n_groups > 1; i++) {
		const struct world_group *other = &w->groups[vm->first_group + i];

		if (other->guest_node != g->guest_node)
			load += world_own_load(w, other, node);
	}
	return load;
}

static double
foreign_load(const struct world *w, const struct world_group *g, unsigned int node)
{
	return world_load_of_others(w, g, node) - family_load(w, g, node);
}

typedef double load_fn(
	const struct world *w, const struct world_group *g, unsigned int node);

/* Load per core on the node and, with half the weight each time, around it. */
static double
crowding(const struct world *w, const struct world_group *g, unsigned int node,
	load_fn *load_on)
{
	const struct tree_node *nodes = w->tree->nodes;
	double weight = 1;
	double sum = 0;

	for (int n = (int)node; n >= 0; n = nodes[n].parent) {
		if (nodes[n].parent >= 0)
			weight /= 2;
		sum += weight * load_on(w, g, (unsigned int)n) / nodes[n].n_cores;
	}
	return sum;
}

double
candidates_family_ns(
	const struct world *w, const struct world_group *g, unsigned int node)
{
	if (w->vms[g->vm].n_groups == 1)
		return 0;
	return candidates_crowding_ns(w, crowding(w, g, node, family_load));
}

/* The terms that do not depend on other VMs. */
static void
distance_terms(const struct world *w, const struct world_group *g, unsigned int node,
	struct terms *out)
{
	const double *weights = w->in->policy->weights;
	const float *small = w->classes[g->cls].small;
	double worst = w->tree->worst_ns;

	*out = (struct terms){{0}};
	out->ns[TERM_MEMORY] =
		weights[TERM_MEMORY] * COST_REMOTE * worst * memory(w, g, node);
	out->ns[TERM_COMMUNICATION] =
		weights[TERM_COMMUNICATION] * communication(w, g, node);
	if (!cpuset_empty(&g->in->pci_nodes))
		out->ns[TERM_PCI] = weights[TERM_PCI] * COST_PCI * worst *
				    residency_nearest(w->in->topo, w->remote,
					    cpu_shares(w, g, node), &g->in->pci_nodes);
	if (small != NULL)
		out->ns[TERM_SMT] = weights[TERM_SMT] * worst * COST_SMALL_CORE *
				    (double)small[node];
}

void
candidates_terms(const struct world *w, const struct world_group *g, unsigned int node,
	struct terms *out)
{
	const struct tree_node *tn = &w->tree->nodes[node];
	double load = world_load_of_others(w, g, node) + g->demand;
	double shared = objective_sharing(tn->n_cpus, tn->n_cores, load);

	distance_terms(w, g, node, out);
	out->ns[TERM_SMT] += candidates_sharing_ns(w, shared) *
			     candidates_sharing_demand(g) / g->demand;
	out->ns[TERM_FRAGMENTATION] =
		candidates_crowding_ns(w, crowding(w, g, node, foreign_load));
}

double
candidates_cost(const struct world *w, const struct world_group *g, unsigned int node)
{
	struct terms terms;

	candidates_terms(w, g, node, &terms);
	return g->demand * terms_sum(&terms);
}

double
candidates_distance_cost(
	const struct world *w, const struct world_group *g, unsigned int node)
{
	struct terms terms;

	distance_terms(w, g, node, &terms);
	return g->demand * terms_sum(&terms);
}

/* Another node within it gives the VM the same CPUs. */
static bool
repeats_a_part(const struct world *w, const struct world_group *g, unsigned int node)
{
	const unsigned int *count = w->classes[g->cls].count;
	const int *parts = w->tree->nodes[node].parts;

	return parts[0] >= 0 &&
	       (count[parts[0]] == count[node] || count[parts[1]] == count[node]);
}

bool
candidates_has(const struct world *w, const struct world_group *g, unsigned int node)
{
	const struct world_class *c = &w->classes[g->cls];

	return c->count[node] > 0 && (c->count[node] >= g->n_vcpus || node == c->top) &&
	       !repeats_a_part(w, g, node) && widen_is_enough(w, g, node);
}

bool
candidates_before(
	const struct world *w, const struct candidate *a, const struct candidate *b)
{
	const struct tree_node *na = &w->tree->nodes[a->node];
	const struct tree_node *nb = &w->tree->nodes[b->node];

	if (a->cost < b->cost - COST_SAME_NS || a->cost > b->cost + COST_SAME_NS)
		return a->cost < b->cost;
	if (na->n_cpus != nb->n_cpus)
		return na->n_cpus < nb->n_cpus;
	return cpuset_next(&na->cpus, 0) < cpuset_next(&nb->cpus, 0);
}

unsigned int
candidates_list(
	const struct world *w, const struct world_group *g, struct candidate *out)
{
	unsigned int n = 0;

	for (unsigned int node = 0; node < w->tree->n; node++) {
		struct candidate new = {.node = node};
		unsigned int at;

		if (!candidates_has(w, g, node))
			continue;
		new.cost = candidates_cost(w, g, node);
		for (at = n; at > 0 && candidates_before(w, &new, &out[at - 1]); at--)
			out[at] = out[at - 1];
		out[at] = new;
		n++;
	}
	return n;
}
