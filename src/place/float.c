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
float_place(struct world *w, struct world_group *g)
{
	unsigned int top = w->classes[g->cls].top;
	auto_free struct candidate *list = xcalloc(w->tree->n, sizeof(*list));
	unsigned int n = candidates_list(w, g, list);
	struct wait_cost least = world_try(w, g, top); /* widest waits least */
	double least_penalty = world_wait_penalty(w, &least);
	double best = DBL_MAX;
	unsigned int node = top;

	for (unsigned int i = 0; i < n && list[i].cost < best; i++) {
		struct wait_cost wait = world_try(w, g, list[i].node);
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
	g->load_before = world_load(w, node);
	world_put(w, g, (int)node);
	g->first = g->node;
}

void
float_fit(struct world *w, struct world_group *g)
{
	int node = g->node;

	while (world_room(w, g, (unsigned int)node) < g->n_vcpus) {
		int up = world_wider(w, g, (unsigned int)node);

		if (up < 0)
			break;
		node = up;
	}
	if (node != g->node)
		world_put(w, g, node);
}

struct repair {
	struct world *w;
	struct wait_cost now;
	double penalty;
	double *heat; /* of each node: demand that cannot run in it or around it */
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
	for (unsigned int i = 0; i < r->w->n_groups; i++) {
		struct world_group *g = &r->w->groups[i];

		if (g->role == WORLD_FLOAT && g->node >= 0)
			g->heat = r->heat[g->node] + (double)world_own_excess(r->w, g);
	}
}

/* The VMs that sit in the hottest domains, in order of heat, then of id. */
static unsigned int
find_hot(const struct repair *r, struct world_group **hot)
{
	const struct world *w = r->w;
	unsigned int n = 0;

	for (unsigned int i = 0; i < w->n_groups; i++) {
		struct world_group *g = &w->groups[i];
		unsigned int at;

		if (g->role != WORLD_FLOAT || g->node < 0 || g->heat <= 0)
			continue;
		at = n < TRIED_VMS ? n++ : TRIED_VMS;
		for (; at > 0 && g->heat > hot[at - 1]->heat; at--) {
			if (at < TRIED_VMS)
				hot[at] = hot[at - 1];
		}
		if (at < TRIED_VMS)
			hot[at] = g;
	}
	return n;
}

/* The gain in penalty for each nanosecond when @g goes to @node. */
static double
worth(const struct repair *r, struct world_group *g, unsigned int node)
{
	struct wait_cost wait = world_try(r->w, g, node);
	double gain = r->penalty - world_wait_penalty(r->w, &wait);
	double price = candidates_distance_cost(r->w, g, node) -
		       candidates_distance_cost(r->w, g, (unsigned int)g->node);

	if (gain <= 1e-9)
		return 0;
	if (g->cause != WORLD_NEW)
		price *= COST_OTHERS;
	return gain / (1 + (price > 0 ? price : 0));
}

/* The best single widening. Returns false when none helps. */
static bool
widen_one(struct repair *r)
{
	struct world_group *hot[TRIED_VMS];
	struct world_group *g = NULL;
	unsigned int n = find_hot(r, hot);
	int to = -1;
	double best = 0;

	for (unsigned int i = 0; i < n; i++) {
		int up = world_wider(r->w, hot[i], (unsigned int)hot[i]->node);

		for (unsigned int k = 0; up >= 0 && k < TRIED_DOMAINS; k++) {
			double value = worth(r, hot[i], (unsigned int)up);

			if (value > best) {
				best = value;
				g = hot[i];
				to = up;
			}
			up = world_wider(r->w, hot[i], (unsigned int)up);
		}
	}
	if (g == NULL)
		return false;
	world_put(r->w, g, to);
	return true;
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
	free(r.heat);
}
