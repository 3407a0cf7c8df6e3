// SPDX-License-Identifier: MIT
/*
 * The sum has two parts: the distances, which a group pays for itself, and what it pays
 * for the load of others, which is the same for each vCPU on a node. The second is
 * therefore a sum over nodes, and a trial costs one walk over the tree, however many
 * VMs there are.
 */
#include "config.h"

#include "place/total.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "place/candidates.h"

/* A group that may use a part of @node only loads those parts of it. */
static void
shift_parts(const struct total *t, const struct world_class *c, unsigned int node,
	double demand)
{
	const struct tree_node *nodes = t->w->tree->nodes;

	for (unsigned int n = 0; n < node; n++) {
		int up = nodes[n].parent;

		while (up >= 0 && up < (int)node)
			up = nodes[up].parent;
		if (up == (int)node)
			t->below[n] += demand * c->count[n] / c->count[node];
	}
}

/* The group comes to @node (@sign 1) or goes (-1). */
static void
shift(const struct total *t, const struct world_group *g, unsigned int node, int sign)
{
	const struct tree_node *nodes = t->w->tree->nodes;
	const struct world_class *c = &t->w->classes[g->cls];
	double demand = sign * g->demand;

	t->at[node] += demand;
	for (int n = (int)node; n >= 0; n = nodes[n].parent)
		t->below[n] += demand;
	if (c->count[node] == nodes[node].n_cpus)
		t->own[node] += demand;
	else
		shift_parts(t, c, node, demand);
}

/* What all pay for the load that is there. */
static double
crowded(const struct total *t)
{
	const struct tree_node *nodes = t->w->tree->nodes;
	double sum = 0;

	for (unsigned int n = t->w->tree->n; n-- > 0;) {
		int up = nodes[n].parent;
		double load;

		t->outer[n] = up < 0 ? 0
				     : (t->outer[up] + t->own[up]) * nodes[n].n_cpus /
					       nodes[up].n_cpus;
		load = t->below[n] + t->outer[n];
		t->crowding[n] = load / nodes[n].n_cores;
		if (up >= 0)
			t->crowding[n] = (t->crowding[n] + t->crowding[up]) / 2;
		if (t->at[n] > 0)
			sum += t->at[n] * candidates_crowded_ns(t->w, n, load,
						  t->crowding[n]);
	}
	return sum;
}

/* Those who feel the load of a node: float groups on it, pinned vCPUs below it. */
static void
count_groups(struct total *t)
{
	const struct world *w = t->w;

	for (unsigned int i = 0; i < w->n_groups; i++) {
		const struct world_group *g = &w->groups[i];

		if (g->role == WORLD_FLOAT && g->node >= 0)
			t->at[g->node] += g->demand;
		for (unsigned int v = 0; g->pins != NULL && v < g->n_vcpus; v++) {
			if (g->pins[v] >= 0)
				t->at[w->tree->leaf_of_pu[g->pins[v]]] +=
					g->demand / g->n_vcpus;
		}
	}
}

static void
refresh(struct total *t)
{
	size_t size = t->w->tree->n * sizeof(*t->own);

	memcpy(t->own, t->w->own, size);
	memcpy(t->below, t->w->below, size);
	t->crowded_ns = crowded(t);
	t->wait = wait_measure(t->w->wait);
	t->penalty = world_wait_penalty(t->w, &t->wait);
}

void
total_init(struct total *t, struct world *w)
{
	unsigned int n = w->tree->n;

	*t = (struct total){.w = w};
	t->at = xcalloc(n, sizeof(*t->at));
	t->own = xcalloc(n, sizeof(*t->own));
	t->below = xcalloc(n, sizeof(*t->below));
	t->outer = xcalloc(n, sizeof(*t->outer));
	t->crowding = xcalloc(n, sizeof(*t->crowding));
	total_read(t);
}

void
total_read(struct total *t)
{
	memset(t->at, 0, t->w->tree->n * sizeof(*t->at));
	count_groups(t);
	refresh(t);
}

void
total_fini(struct total *t)
{
	free(t->at);
	free(t->own);
	free(t->below);
	free(t->outer);
	free(t->crowding);
}

void
total_put(struct total *t, struct world_group *g, unsigned int node)
{
	t->at[g->node] -= g->demand;
	t->at[node] += g->demand;
	world_put(t->w, g, (int)node);
	refresh(t);
}

double
total_cost(const struct total *t)
{
	const struct world *w = t->w;
	double sum = t->crowded_ns;

	for (unsigned int i = 0; i < w->n_groups; i++) {
		const struct world_group *g = &w->groups[i];

		if (g->role == WORLD_FLOAT && g->node >= 0)
			sum += candidates_distance_cost(w, g, (unsigned int)g->node);
	}
	return sum;
}

double
total_sum(const struct total *t)
{
	return total_cost(t) + total_waiting(t, &t->wait);
}

double
total_waiting(const struct total *t, const struct wait_cost *c)
{
	return t->w->tree->worst_ns *
	       (COST_LOST * c->all_cpus + COST_WAIT * world_wait_penalty(t->w, c));
}

double
total_gain(const struct total *t, const struct total_move *moves, unsigned int n)
{
	const struct world *w = t->w;
	size_t size = w->tree->n * sizeof(*t->own);
	double gain = t->crowded_ns;

	for (unsigned int i = 0; i < n; i++) {
		const struct world_group *g = moves[i].g;

		shift(t, g, (unsigned int)g->node, -1);
		shift(t, g, moves[i].node, 1);
		gain += candidates_distance_cost(w, g, (unsigned int)g->node) -
			candidates_distance_cost(w, g, moves[i].node);
	}
	gain -= crowded(t);
	for (unsigned int i = 0; i < n; i++) {
		t->at[moves[i].g->node] += moves[i].g->demand;
		t->at[moves[i].node] -= moves[i].g->demand;
	}
	memcpy(t->own, w->own, size);
	memcpy(t->below, w->below, size);
	return gain;
}

struct wait_cost
total_try(struct total *t, const struct total_move *move)
{
	t->tries++;
	return world_try(t->w, move->g, move->node);
}
