// SPDX-License-Identifier: MIT
/*
 * Choosing and widening domains. Nothing here makes a domain smaller or moves a VM: the
 * only changes to a VM that was placed before are to supersets.
 */
#include "config.h"

#include "place/float.h"

#include <assert.h>
#include <float.h>
#include <stdlib.h>

#include "base/xalloc.h"
#include "place/candidates.h"

/*
 * What a unit of waiting penalty is worth when a domain is chosen, in worst latencies
 * of the host x vCPUs: more, and newcomers go wide at once; less, and repair has to
 * widen them (and others) afterwards.
 */
#define COST_WAIT 2.0

/* Widening a VM that was placed earlier is worth this much more than one that is new:
 * with equal gain the newcomer makes the way. */
#define COST_OTHERS 1.5

/* VMs tried in each step of a repair, and wider domains tried for each. */
#define TRIED_VMS 24u
#define TRIED_DOMAINS 3u

void
float_place(struct world *w, struct world_vm *vm)
{
	unsigned int top = w->classes[vm->cls].top;
	auto_free struct candidate *list = xcalloc(w->tree->n, sizeof(*list));
	unsigned int n = candidates_list(w, vm, list);
	struct wait_cost least = world_try(w, vm, top); /* widest waits least */
	double least_penalty = world_wait_penalty(w, &least);
	double best = DBL_MAX;
	unsigned int node = top;

	for (unsigned int i = 0; i < n && list[i].cost < best; i++) {
		struct wait_cost wait = world_try(w, vm, list[i].node);
		double lost = wait.all_cpus - least.all_cpus;
		double penalty = world_wait_penalty(w, &wait) - least_penalty;
		double cost =
			list[i].cost +
			w->tree->worst_ns * (COST_LOST * lost + COST_WAIT * penalty);

		if (cost < best) {
			best = cost;
			node = list[i].node;
		}
	}
	vm->load_before = world_load(w, node);
	world_put(w, vm, (int)node);
	vm->first = vm->node;
}

void
float_fit(struct world *w, struct world_vm *vm)
{
	int node = vm->node;

	while (world_room(w, vm, (unsigned int)node) < vm->in->n_vcpus) {
		int up = world_wider(w, vm, (unsigned int)node);

		if (up < 0)
			break;
		node = up;
	}
	if (node != vm->node)
		world_put(w, vm, node);
}

/* A change that repair has made. */
struct step {
	struct world_vm *vm;
	int from;
};

struct repair {
	struct world *w;
	struct wait_cost now;
	double penalty;
	double *heat; /* of each node: demand that cannot run in it or around it */
	size_t n;
	size_t cap;
	struct step *steps;
};

static void
measure(struct repair *r)
{
	r->now = wait_measure(r->w->wait);
	r->penalty = world_wait_penalty(r->w, &r->now);
}

static void
find_heat(struct repair *r)
{
	const struct tree *t = r->w->tree;

	r->heat[tree_root(t)] = 0; /* nobody can leave the host */
	for (unsigned int n = tree_root(t); n-- > 0;) {
		unsigned int up = (unsigned int)t->nodes[n].parent;

		/* what runs inside a node takes room from those with a part of it */
		r->heat[n] = r->heat[up] + (double)world_excess(r->w, n) +
			     (double)world_parts_excess(r->w, up);
	}
	for (unsigned int i = 0; i < r->w->n_vms; i++) {
		struct world_vm *vm = &r->w->vms[i];

		if (vm->role == WORLD_FLOAT && vm->node >= 0)
			vm->heat =
				r->heat[vm->node] + (double)world_own_excess(r->w, vm);
	}
}

/* The VMs that sit in the hottest domains, in order of heat, then of id. */
static unsigned int
find_hot(const struct repair *r, struct world_vm **hot)
{
	const struct world *w = r->w;
	unsigned int n = 0;

	for (unsigned int i = 0; i < w->n_vms; i++) {
		struct world_vm *vm = &w->vms[i];
		unsigned int at;

		if (vm->role != WORLD_FLOAT || vm->node < 0 || vm->heat <= 0)
			continue;
		at = n < TRIED_VMS ? n++ : TRIED_VMS;
		for (; at > 0 && vm->heat > hot[at - 1]->heat; at--) {
			if (at < TRIED_VMS)
				hot[at] = hot[at - 1];
		}
		if (at < TRIED_VMS)
			hot[at] = vm;
	}
	return n;
}

/* The gain in penalty for each nanosecond when @vm goes to @node. */
static double
worth(const struct repair *r, struct world_vm *vm, unsigned int node)
{
	struct wait_cost wait = world_try(r->w, vm, node);
	double gain = r->penalty - world_wait_penalty(r->w, &wait);
	double price = candidates_distance_cost(r->w, vm, node) -
		       candidates_distance_cost(r->w, vm, (unsigned int)vm->node);

	if (gain <= 1e-9)
		return 0;
	if (vm->cause != WORLD_NEW)
		price *= COST_OTHERS;
	return gain / (1 + (price > 0 ? price : 0));
}

/* The best single widening. Returns false when none helps. */
static bool
widen_one(struct repair *r)
{
	struct world_vm *hot[TRIED_VMS];
	struct world_vm *vm = NULL;
	unsigned int n = find_hot(r, hot);
	int to = -1;
	double best = 0;

	for (unsigned int i = 0; i < n; i++) {
		int up = world_wider(r->w, hot[i], (unsigned int)hot[i]->node);

		for (unsigned int k = 0; up >= 0 && k < TRIED_DOMAINS; k++) {
			double value = worth(r, hot[i], (unsigned int)up);

			if (value > best) {
				best = value;
				vm = hot[i];
				to = up;
			}
			up = world_wider(r->w, hot[i], (unsigned int)up);
		}
	}
	if (vm == NULL)
		return false;
	r->steps = xgrow(r->steps, r->n, &r->cap, sizeof(*r->steps));
	r->steps[r->n++] = (struct step){.vm = vm, .from = vm->node};
	world_put(r->w, vm, to);
	return true;
}

/* Later steps may have made an earlier one needless. */
static void
take_back(struct repair *r)
{
	for (size_t i = r->n; i-- > 0;) {
		struct step *s = &r->steps[i];
		struct wait_cost wait = world_try(r->w, s->vm, (unsigned int)s->from);

		if (world_wait_penalty(r->w, &wait) > r->penalty)
			continue;
		world_put(r->w, s->vm, s->from);
		measure(r);
	}
}

void
float_repair(struct world *w)
{
	struct repair r = {.w = w};

	r.heat = xcalloc(w->tree->n, sizeof(*r.heat));
	for (measure(&r); r.penalty > 0; measure(&r)) {
		find_heat(&r);
		if (!widen_one(&r))
			break;
	}
	take_back(&r);
	free(r.heat);
	free(r.steps);
}
