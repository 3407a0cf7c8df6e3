// SPDX-License-Identifier: MIT
/*
 * Load is taken from a node for a moment, in the sums of the world that costs are made
 * of, and all candidates are compared anew.
 */
#include "config.h"

#include "place/better.h"

#include <float.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "place/candidates.h"

/* What load is found to: a quarter of a CPU. */
#define LOAD_STEP 0.25

struct better {
	struct world *w;
	const struct world_group *g;
	double *below; /* as it was */
	double *loads; /* of each node: of others, as it was */
};

static void
put_back(const struct better *b)
{
	memcpy(b->w->below, b->below, b->w->tree->n * sizeof(*b->below));
}

/* Take load from @node, and so from what is around it. */
static void
take_around(const struct better *b, unsigned int node, double load)
{
	for (int n = (int)node; n >= 0; n = b->w->tree->nodes[n].parent)
		b->w->below[n] -= load;
}

static void
take(const struct better *b, unsigned int node, double load)
{
	take_around(b, node, load);
	for (unsigned int n = 0; n < node && b->loads[node] > 0; n++) {
		if (tree_within(b->w->tree, n, node))
			b->w->below[n] -= load * b->loads[n] / b->loads[node];
	}
}

/* What all pay with the group on @node. Load crowds both sides alike; of sharing,
 * others pay what they share more. */
static double
cost_for_all(const struct better *b, unsigned int node)
{
	const struct world *w = b->w;
	const struct tree_node *tn = &w->tree->nodes[node];
	double load = world_load_of_others(w, b->g, node);
	double with = load + b->g->demand;
	double shared = with * objective_sharing(tn->n_cpus, tn->n_cores, with);
	struct terms terms;

	if (load <= 0)
		return candidates_cost(w, b->g, node);
	candidates_terms(w, b->g, node, &terms);
	shared = load * shared / with;
	shared -= load * objective_sharing(tn->n_cpus, tn->n_cores, load);
	return b->g->demand * (terms_sum(&terms) + terms.ns[TERM_FRAGMENTATION]) +
	       candidates_sharing_ns(w, shared);
}

/* Of two that cost the same the smaller is taken, then the first. */
static bool
comes_first(const struct better *b, unsigned int x, unsigned int y)
{
	const struct tree_node *nx = &b->w->tree->nodes[x];
	const struct tree_node *ny = &b->w->tree->nodes[y];

	if (nx->n_cpus != ny->n_cpus)
		return nx->n_cpus < ny->n_cpus;
	return cpuset_next(&nx->cpus, 0) < cpuset_next(&ny->cpus, 0);
}

/* With no more than @load of others on it the node would be the choice. */
static bool
is_choice(const struct better *b, unsigned int node, double load)
{
	bool first = true;
	double cost;

	take(b, node, b->loads[node] - load);
	cost = cost_for_all(b, node);
	for (unsigned int n = 0; n < b->w->tree->n && first; n++) {
		double other;

		if (n == node || !candidates_has(b->w, b->g, n))
			continue;
		other = cost_for_all(b, n);
		first = cost < other - COST_SAME_NS ||
			(cost < other + COST_SAME_NS && comes_first(b, node, n));
	}
	put_back(b);
	return first;
}

/* The most load of others with which it would be the choice, and all vCPUs still find a
 * CPU; negative: it would not even be empty. */
static double
most_load(const struct better *b, unsigned int node)
{
	double room = world_room(b->w, b->g, node);
	double cpus = b->w->tree->nodes[node].n_cpus;
	double high = (room - b->g->demand) * cpus / room;
	double low = 0;

	if (high > b->loads[node])
		high = b->loads[node];
	if (high > 0 && is_choice(b, node, high))
		return high;
	if (!is_choice(b, node, 0))
		return -1;
	while (high - low > LOAD_STEP) {
		double mid = (low + high) / 2;

		if (is_choice(b, node, mid))
			low = mid;
		else
			high = mid;
	}
	return low;
}

/* The node that costs least when it is empty; of those that cost the same, the one with
 * the least load now. */
static int
cheapest(const struct better *b, double *cost)
{
	const struct world *w = b->w;
	unsigned int at = (unsigned int)b->g->node;
	int best = -1;

	*cost = DBL_MAX;
	for (unsigned int n = 0; n < w->tree->n; n++) {
		double empty;

		if (!candidates_has(w, b->g, n) ||
			((tree_within(w->tree, n, at) || tree_within(w->tree, at, n)) &&
				world_room(w, b->g, n) == world_room(w, b->g, at)))
			continue;
		take_around(b, n, b->loads[n]);
		empty = candidates_cost(w, b->g, n);
		put_back(b);
		if (empty > *cost + COST_SAME_NS ||
			(best >= 0 && empty > *cost - COST_SAME_NS &&
				b->loads[n] >= b->loads[best]))
			continue;
		*cost = empty;
		best = (int)n;
	}
	return best;
}

/* What is gained is worth a line. */
static bool
is_worth(const struct world *w, double total_ns, double better_ns)
{
	double gain = total_ns - better_ns;

	return gain >= COST_BETTER * w->tree->worst_ns &&
	       gain >= BETTER_SHARE * total_ns;
}

/* Write what was found. */
static void
describe(const struct better *b, unsigned int node, double load, struct explain *out)
{
	const struct tree_node *tn = &b->w->tree->nodes[node];
	double part = (double)world_room(b->w, b->g, node) / tn->n_cpus;

	out->has_better = true;
	out->better = (struct explain_option){.cpus = world_mask(b->w, b->g, node)};
	take(b, node, b->loads[node]);
	candidates_terms(b->w, b->g, node, &out->better.terms);
	put_back(b);
	out->better_load_cpus = b->loads[node] * part;
	out->better_free_cpus = (tn->n_cpus - load) * part;
}

int
better_find(struct world *w, const struct world_group *g, struct explain *out)
{
	struct better b = {.w = w, .g = g};
	double cost;
	double load;
	int node;

	b.below = xcalloc(w->tree->n, sizeof(*b.below));
	b.loads = xcalloc(w->tree->n, sizeof(*b.loads));
	memcpy(b.below, w->below, w->tree->n * sizeof(*b.below));
	for (unsigned int n = 0; n < w->tree->n; n++)
		b.loads[n] = world_load_of_others(w, g, n);
	node = cheapest(&b, &cost);
	if (node >= 0 && is_worth(w, out->chosen.total_ns, cost / g->demand)) {
		load = most_load(&b, (unsigned int)node);
		if (load >= 0)
			describe(&b, (unsigned int)node, load, out);
	}
	free(b.below);
	free(b.loads);
	return out->has_better ? node : -1;
}
