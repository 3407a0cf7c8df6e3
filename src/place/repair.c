// SPDX-License-Identifier: MIT
/*
 * Widening and taking it back. Nothing here moves a VM that was placed before: the only
 * changes to its domain are to supersets of what it had when the run began.
 */
#include "config.h"

#include "place/repair.h"

#include <limits.h>
#include <stdlib.h>

#include "base/xalloc.h"
#include "place/candidates.h"

/* VMs tried in each step of a repair, and wider domains tried for each; all of them
 * when none of these helps. */
#define TRIED_VMS 12u
#define TRIED_DOMAINS 2u

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

/* The best single widening, by @domains domains at most. Returns false when none helps.
 */
static bool
widen_one(struct repair *r, unsigned int domains)
{
	struct world_group *hot[TRIED_VMS];
	struct world_group *g = NULL;
	unsigned int n = find_hot(r, hot);
	int to = -1;
	double best = 0;

	for (unsigned int i = 0; i < n; i++) {
		int up = world_wider(r->w, hot[i], (unsigned int)hot[i]->node);

		for (unsigned int k = 0; up >= 0 && k < domains; k++) {
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
repair_waiting(struct world *w)
{
	struct repair r = {.w = w};

	r.heat = xcalloc(w->tree->n, sizeof(*r.heat));
	for (measure(&r); r.penalty > 0; measure(&r)) {
		find_heat(&r);
		if (!widen_one(&r, TRIED_DOMAINS) && !widen_one(&r, UINT_MAX))
			break;
	}
	free(r.heat);
}

/* The narrowest node between the group's first and its own where nobody waits more. */
static unsigned int
narrowest(struct world *w, const struct world_group *g, double penalty)
{
	for (unsigned int node = (unsigned int)g->first; node != (unsigned int)g->node;
		node = (unsigned int)w->tree->nodes[node].parent) {
		struct wait_cost wait;

		if (!candidates_has(w, g, node))
			continue;
		wait = world_try(w, g, node);
		if (world_wait_penalty(w, &wait) <= penalty)
			return node;
	}
	return (unsigned int)g->node;
}

struct widened {
	struct world_group *g;
	double price;
};

static int
by_price(const void *a, const void *b)
{
	const struct widened *x = a;
	const struct widened *y = b;

	if (x->price != y->price)
		return x->price > y->price ? -1 : 1;
	return x->g < y->g ? -1 : x->g > y->g;
}

void
repair_undo(struct world *w)
{
	auto_free struct widened *list = xcalloc(w->n_groups, sizeof(*list));
	unsigned int n = 0;

	for (unsigned int i = 0; i < w->n_groups; i++) {
		struct world_group *g = &w->groups[i];
		unsigned int node = (unsigned int)g->node;

		if (g->role != WORLD_FLOAT || g->node < 0 || g->first == g->node)
			continue;
		list[n].g = g;
		list[n++].price =
			candidates_distance_cost(w, g, node) -
			candidates_distance_cost(w, g, (unsigned int)g->first);
	}
	qsort(list, n, sizeof(*list), by_price);
	for (unsigned int i = 0; i < n; i++) {
		struct wait_cost now = wait_measure(w->wait);
		unsigned int node =
			narrowest(w, list[i].g, world_wait_penalty(w, &now));

		if (node != (unsigned int)list[i].g->node)
			world_put(w, list[i].g, (int)node);
	}
}
