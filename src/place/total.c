// SPDX-License-Identifier: MIT
/*
 * The sum has two parts: the distances, which a group pays for itself, and what it pays
 * for the load of others, which is the same for each vCPU on a node. The second is
 * therefore a sum over nodes, and a trial costs one walk over the tree, however many
 * VMs there are.
 *
 * When newcomers are placed, only they feel load: what they do to those that run
 * already would draw them to the fullest domains, where more load does the least, and
 * away from their memory.
 */
#include "config.h"

#include "place/total.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "place/candidates.h"
#include "place/float.h"

/* Two groups that crowd each other count once, not for each of the two, so that keeping
 * holes does not outweigh memory. */
#define CROWDING_PART 0.5

static bool
feels_load(const struct total *t, const struct world_group *g)
{
	return !t->newcomers || g->cause == WORLD_NEW;
}

static void
add_group(struct total_node *at, const struct world_group *g, int sign)
{
	at->groups += sign;
	at->demand += sign * g->demand;
	at->squares += sign * g->demand * g->demand;
	at->sharing += sign * candidates_sharing_demand(g);
	if (at->groups == 0) { /* no rest of rounding */
		at->demand = 0;
		at->squares = 0;
		at->sharing = 0;
	}
}

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

	if (feels_load(t, g))
		add_group(&t->at[node], g, sign);
	for (int n = (int)node; n >= 0; n = nodes[n].parent)
		t->below[n] += demand;
	if (c->count[node] == nodes[node].n_cpus)
		t->own[node] += demand;
	else
		shift_parts(t, c, node, demand);
}

/* What all pay for the load that is there. Nobody's own load crowds himself. This is
 * where searches spend their time. */
static double
crowded(const struct total *t)
{
	const struct tree_node *nodes = t->w->tree->nodes;
	struct total_node *at = t->at;
	double shared = 0;
	double crowds = 0;

	for (unsigned int n = t->w->tree->n; n-- > 0;) {
		int up = nodes[n].parent;
		double load = t->below[n];

		at[n].crowding = load * at[n].per_core;
		if (up >= 0) {
			at[n].outer = (at[up].outer + t->own[up]) * at[n].part;
			load += at[n].outer;
			at[n].crowding = (load * at[n].per_core + at[up].crowding) / 2;
		}
		if (at[n].groups == 0)
			continue;
		shared += at[n].sharing *
			  objective_sharing(nodes[n].n_cpus, nodes[n].n_cores, load);
		crowds += at[n].demand * at[n].crowding - at[n].squares * at[n].alone;
	}
	return candidates_sharing_ns(t->w, shared) +
	       CROWDING_PART * candidates_crowding_ns(t->w, crowds);
}

static void
count_groups(struct total *t)
{
	const struct tree_node *nodes = t->w->tree->nodes;

	for (unsigned int n = t->w->tree->n; n-- > 0;) {
		int up = nodes[n].parent;
		double alone = 1.0 / nodes[n].n_cores;

		t->at[n] = (struct total_node){.per_core = alone, .alone = alone};
		if (up < 0)
			continue;
		t->at[n].alone = (alone + t->at[up].alone) / 2;
		t->at[n].part = (double)nodes[n].n_cpus / nodes[up].n_cpus;
	}
	for (unsigned int i = 0; i < t->w->n_groups; i++) {
		const struct world_group *g = &t->w->groups[i];

		if (g->role == WORLD_FLOAT && g->node >= 0 && feels_load(t, g))
			add_group(&t->at[g->node], g, 1);
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

static void
init(struct total *t, struct world *w, bool newcomers)
{
	unsigned int n = w->tree->n;

	*t = (struct total){.w = w, .newcomers = newcomers};
	t->at = xcalloc(n, sizeof(*t->at));
	t->own = xcalloc(n, sizeof(*t->own));
	t->below = xcalloc(n, sizeof(*t->below));
	total_read(t);
}

void
total_init(struct total *t, struct world *w)
{
	init(t, w, false);
}

void
total_init_newcomers(struct total *t, struct world *w)
{
	init(t, w, true);
}

void
total_read(struct total *t)
{
	count_groups(t);
	refresh(t);
}

void
total_fini(struct total *t)
{
	free(t->at);
	free(t->own);
	free(t->below);
}

void
total_put(struct total *t, struct world_group *g, unsigned int node)
{
	if (feels_load(t, g)) {
		add_group(&t->at[g->node], g, -1);
		add_group(&t->at[node], g, 1);
	}
	world_put(t->w, g, (int)node);
	refresh(t);
}

/* What a group pays for its own place, whoever else is there. */
static double
own_cost(const struct total *t, const struct world_group *g)
{
	unsigned int node = (unsigned int)g->node;
	double cost = candidates_distance_cost(t->w, g, node);

	if (feels_load(t, g))
		cost -= CROWDING_PART * g->demand * candidates_family_ns(t->w, g, node);
	return cost;
}

double
total_cost(const struct total *t)
{
	const struct world *w = t->w;
	double sum = t->crowded_ns;

	for (unsigned int i = 0; i < w->n_groups; i++) {
		if (w->groups[i].role == WORLD_FLOAT && w->groups[i].node >= 0)
			sum += own_cost(t, &w->groups[i]);
	}
	return sum;
}

double
total_sum(const struct total *t)
{
	return total_cost(t) + float_wait_cost(t->w, &t->wait);
}

/* Where one group is matters to the VM's others. */
static double
vm_cost(const struct total *t, const struct world_vm *vm)
{
	const struct world *w = t->w;
	double sum = 0;

	for (unsigned int i = 0; i < vm->n_groups; i++) {
		if (w->groups[vm->first_group + i].node >= 0)
			sum += own_cost(t, &w->groups[vm->first_group + i]);
	}
	return sum;
}

/* What the VM pays less with the group on @node. */
static double
vm_gain(const struct total *t, struct world_group *g, unsigned int node)
{
	const struct world_vm *vm = &t->w->vms[g->vm];
	int now = g->node;
	double gain = vm_cost(t, vm);

	g->node = (int)node;
	gain -= vm_cost(t, vm);
	g->node = now;
	return gain;
}

double
total_gain(const struct total *t, struct world_group *g, unsigned int node)
{
	const struct world *w = t->w;
	size_t size = w->tree->n * sizeof(*t->own);
	double gain = t->crowded_ns + vm_gain(t, g, node);

	shift(t, g, (unsigned int)g->node, -1);
	shift(t, g, node, 1);
	gain -= crowded(t);
	if (feels_load(t, g)) {
		add_group(&t->at[node], g, -1);
		add_group(&t->at[g->node], g, 1);
	}
	memcpy(t->own, w->own, size);
	memcpy(t->below, w->below, size);
	return gain;
}
