// SPDX-License-Identifier: MIT
/*
 * Guests with NUMA nodes. First each group for itself, one after the other, and then
 * each once more with the others fixed; then all in one domain. What costs less stays.
 */
#include "config.h"

#include "place/guest.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "place/candidates.h"
#include "place/float.h"

/* Each group is placed again with the others fixed, at most so often. */
#define ROUNDS 2u

/* The groups that are to be placed: @n of them in the order of guest nodes. */
struct party {
	struct world *w;
	const struct world_vm *vm;
	unsigned int n;
	struct world_group **groups;
};

/* What they cost where they are, with all that waits. */
static double
cost_of(const struct party *p)
{
	struct wait_cost wait = wait_measure(p->w->wait);
	double cost = float_wait_cost(p->w, &wait);

	for (unsigned int i = 0; i < p->n; i++)
		cost += candidates_cost(
			p->w, p->groups[i], (unsigned int)p->groups[i]->node);
	return cost;
}

/* Two groups could change places and nobody would know. */
static bool
alike(const struct world_group *a, const struct world_group *b)
{
	return a->cls == b->cls && a->n_vcpus == b->n_vcpus &&
	       a->memory_share == NULL && b->memory_share == NULL;
}

/* Of groups that are alike, the first has the first CPUs: so people expect it. */
static void
put_in_order(const struct party *p)
{
	for (unsigned int i = 0; i < p->n; i++) {
		for (unsigned int k = i + 1; k < p->n; k++) {
			const struct tree_node *nodes = p->w->tree->nodes;
			struct world_group *a = p->groups[i];
			struct world_group *b = p->groups[k];
			int at = a->node;

			if (!alike(a, b) ||
				cpuset_next(&nodes[at].cpus, 0) <=
					cpuset_next(&nodes[b->node].cpus, 0))
				continue;
			world_put(p->w, a, b->node);
			world_put(p->w, b, at);
		}
	}
}

static void
put_all(const struct party *p, const int *nodes)
{
	for (unsigned int i = 0; i < p->n; i++)
		world_put(p->w, p->groups[i], nodes[i]);
}

/* Each once more with the others where they are. Returns whether one has moved. */
static bool
place_again(const struct party *p)
{
	bool moved = false;

	for (unsigned int i = 0; i < p->n; i++) {
		struct world_group *g = p->groups[i];
		int was = g->node;

		world_put(p->w, g, -1);
		world_put(p->w, g, (int)float_best(p->w, g));
		moved |= g->node != was;
	}
	return moved;
}

static void
place_apart(const struct party *p)
{
	auto_free int *first = xcalloc(p->n, sizeof(*first));
	double cost;

	for (unsigned int i = 0; i < p->n; i++) {
		struct world_group *g = p->groups[i];

		g->cause = WORLD_NEW;
		if (g->role != WORLD_OBSERVE)
			world_enter(p->w, g);
		world_put(p->w, g, (int)float_best(p->w, g));
		first[i] = g->node;
	}
	cost = cost_of(p);
	for (unsigned int round = 0; round < ROUNDS && place_again(p); round++)
		;
	/* what is best for one may be worse for the others */
	if (cost_of(p) > cost + COST_SAME_NS)
		put_all(p, first);
	put_in_order(p);
}

/* All groups in one, and @share for where its memory is. */
static struct world_group
merge(const struct party *p, double *share)
{
	struct world_group all = *p->groups[0];
	unsigned int n_nodes = p->w->in->topo->n_nodes;
	unsigned int known = 0;

	all.memory_share = NULL;
	all.bound_share = NULL;
	all.taken_gib = NULL;
	all.node = -1;
	for (unsigned int i = 0; i < p->n; i++) {
		const struct world_group *g = p->groups[i];

		/* one VM: all are busy in the same draws */
		all.need.units += i > 0 ? g->need.units : 0;
		all.n_vcpus += i > 0 ? g->n_vcpus : 0;
		all.demand += i > 0 ? g->demand : 0;
		all.new_gib += i > 0 ? g->new_gib : 0;
		known += g->memory_share != NULL ? g->n_vcpus : 0;
	}
	for (unsigned int i = 0; i < p->n && known > 0; i++) {
		const struct world_group *g = p->groups[i];

		for (unsigned int k = 0; k < n_nodes && g->memory_share != NULL; k++)
			share[k] += g->memory_share[k] * g->n_vcpus / known;
		all.memory_share = share;
	}
	return all;
}

/* All VMs' groups can have the same CPUs, and none has a place to stay at. */
static bool
can_be_one(const struct party *p)
{
	for (unsigned int i = 1; i < p->n; i++) {
		if (p->groups[i]->cls != p->groups[0]->cls)
			return false;
	}
	return p->n == p->vm->n_groups;
}

static void
place_in_one_if_cheaper(const struct party *p)
{
	auto_free double *share = xcalloc(p->w->in->topo->n_nodes, sizeof(*share));
	auto_free int *apart = xcalloc(p->n, sizeof(*apart));
	auto_free int *one = xcalloc(p->n, sizeof(*one));
	struct world_group all = merge(p, share);
	double cost = cost_of(p);
	int node;

	for (unsigned int i = 0; i < p->n; i++) {
		apart[i] = p->groups[i]->node;
		one[i] = -1;
	}
	put_all(p, one);
	node = (int)float_best(p->w, &all);
	for (unsigned int i = 0; i < p->n; i++)
		one[i] = node;
	put_all(p, one);
	if (cost_of(p) > cost + COST_SAME_NS)
		put_all(p, apart);
}

void
guest_place(struct world *w, struct world_vm *vm)
{
	auto_free struct world_group **groups =
		xcalloc(vm->n_groups, sizeof(struct world_group *));
	struct party p = {.w = w, .vm = vm, .groups = groups};

	for (unsigned int i = 0; i < vm->n_groups; i++) {
		struct world_group *g = &w->groups[vm->first_group + i];

		if (g->node < 0)
			groups[p.n++] = g;
	}
	if (p.n == 0)
		return;
	place_apart(&p);
	if (p.n > 1 && can_be_one(&p))
		place_in_one_if_cheaper(&p);
	for (unsigned int i = 0; i < p.n; i++) {
		groups[i]->first = groups[i]->node;
		groups[i]->load_before = world_load_of_others(
			w, groups[i], (unsigned int)groups[i]->node);
	}
}
