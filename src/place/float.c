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
#include "place/guest.h"

double
float_wait_cost(const struct world *w, const struct wait_cost *wait)
{
	double weight = w->in->policy->weights[TERM_WAITING] * w->tree->worst_ns;

	return weight *
	       (COST_LOST * wait->all_cpus + COST_WAIT * world_wait_penalty(w, wait));
}

unsigned int
float_best(struct world *w, const struct world_group *g)
{
	unsigned int top = w->classes[g->cls].top;
	auto_free struct candidate *list = xcalloc(w->tree->n, sizeof(*list));
	unsigned int n = candidates_list(w, g, list);
	struct wait_cost least = world_try(w, g, top); /* widest waits least */
	double waits = float_wait_cost(w, &least);
	double best = DBL_MAX;
	unsigned int node = top;

	for (unsigned int i = 0; i < n && list[i].cost < best; i++) {
		struct wait_cost wait = world_try(w, g, list[i].node);
		double cost = list[i].cost + float_wait_cost(w, &wait) - waits;

		if (cost < best - COST_SAME_NS) {
			best = cost;
			node = list[i].node;
		}
	}
	return node;
}

void
float_place(struct world *w, struct world_group *g)
{
	struct world_vm *vm = &w->vms[g->vm];

	if (vm->n_groups > 1) {
		guest_place(w, vm);
		return;
	}
	world_put(w, g, (int)float_best(w, g));
	g->first = g->node;
	g->load_before = world_load_of_others(w, g, (unsigned int)g->node);
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
