// SPDX-License-Identifier: MIT
/*
 * Choosing a domain. Nothing here moves a VM that was placed before; the only change to
 * its domain is to a superset.
 */
#include "config.h"

#include "place/float.h"

#include <float.h>
#include <stdlib.h>

#include "base/xalloc.h"
#include "place/candidates.h"

void
float_place(struct world *w, struct world_group *g)
{
	unsigned int top = w->classes[g->cls].top;
	auto_free struct candidate *list = xcalloc(w->tree->n, sizeof(*list));
	unsigned int n = candidates_list(w, g, list);
	struct wait_cost least = world_try(w, g, top); /* widest waits least */
	double least_penalty = world_wait_penalty(w, &least);
	double weight = w->in->policy->weights[TERM_WAITING] * w->tree->worst_ns;
	double best = DBL_MAX;
	unsigned int node = top;

	for (unsigned int i = 0; i < n && list[i].cost < best; i++) {
		struct wait_cost wait = world_try(w, g, list[i].node);
		double lost = wait.all_cpus - least.all_cpus;
		double penalty = world_wait_penalty(w, &wait) - least_penalty;
		double cost = list[i].cost +
			      weight * (COST_LOST * lost + COST_WAIT * penalty);

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
