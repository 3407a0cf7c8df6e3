// SPDX-License-Identifier: MIT
/* Candidate domains: which there are and their cost terms. */
#include "config.h"

#include "place/candidates.h"

#include <stdlib.h>

double
candidates_local_share(
	const struct world *w, const struct world_group *g, unsigned int node)
{
	unsigned int n = w->in->topo->n_nodes;
	const float *share = w->classes[g->cls].share + (size_t)node * n;
	double local = 0;

	if (n == 0)
		return 1;
	/* unknown: first touched by the vCPUs, where they are */
	for (unsigned int i = 0; i < n; i++) {
		double there =
			g->memory_share != NULL ? g->memory_share[i] : (double)share[i];

		local += there * (double)share[i];
	}
	return local;
}

double
candidates_distance_cost(
	const struct world *w, const struct world_group *g, unsigned int node)
{
	double remote = 1 - candidates_local_share(w, g, node);

	return g->demand * (w->tree->nodes[node].latency_ns +
				   COST_REMOTE * remote * w->tree->worst_ns);
}

/* vCPUs that share their core when @load runs on the node: cores fill up first, then
 * every vCPU more makes another one share. */
static double
sharing(const struct tree_node *node, double load)
{
	double threads = (double)node->n_cpus / node->n_cores;
	double shared;

	if (load <= node->n_cores || threads <= 1)
		return 0;
	shared = (load - node->n_cores) * threads / (threads - 1);
	return shared < load ? shared : load;
}

/* Load per core on the node and, with half the weight each time, around it. */
static double
crowding(const struct world *w, unsigned int node)
{
	const struct tree_node *nodes = w->tree->nodes;
	double weight = 1;
	double sum = 0;

	for (int n = (int)node; n >= 0; n = nodes[n].parent) {
		if (nodes[n].parent >= 0)
			weight /= 2;
		sum += weight * world_load(w, (unsigned int)n) / nodes[n].n_cores;
	}
	return sum;
}

static double
cost(const struct world *w, const struct world_group *g, unsigned int node)
{
	const struct tree_node *tn = &w->tree->nodes[node];
	double load = world_load(w, node) + g->demand;
	/* of its own vCPUs: what it does to others is less where they share already,
	 * and would draw it to the fullest domain */
	double smt = g->demand * sharing(tn, load) / load;
	double spread = g->demand * crowding(w, node);

	return candidates_distance_cost(w, g, node) +
	       w->tree->worst_ns * (COST_SMT * smt + COST_SPREAD * spread);
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

/* A cost difference that is rounding, not preference. */
#define SAME_NS 1e-6

/* The leaf that comes first has the lower CPU; a joint comes after its parts. */
static bool
comes_first(const struct world *w, const struct candidate *a, const struct candidate *b)
{
	const struct tree_node *na = &w->tree->nodes[a->node];
	const struct tree_node *nb = &w->tree->nodes[b->node];

	if (a->cost < b->cost - SAME_NS || a->cost > b->cost + SAME_NS)
		return a->cost < b->cost;
	if (na->n_cpus != nb->n_cpus)
		return na->n_cpus < nb->n_cpus;
	return cpuset_next(&na->cpus, 0) < cpuset_next(&nb->cpus, 0);
}

unsigned int
candidates_list(
	const struct world *w, const struct world_group *g, struct candidate *out)
{
	const struct world_class *c = &w->classes[g->cls];
	unsigned int n = 0;

	for (unsigned int node = 0; node < w->tree->n; node++) {
		struct candidate new = {.node = node};
		unsigned int at;

		if (c->count[node] == 0 ||
			(c->count[node] < g->n_vcpus && node != c->top) ||
			repeats_a_part(w, g, node))
			continue;
		new.cost = cost(w, g, node);
		for (at = n; at > 0 && comes_first(w, &new, &out[at - 1]); at--)
			out[at] = out[at - 1];
		out[at] = new;
		n++;
	}
	return n;
}
