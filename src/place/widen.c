// SPDX-License-Identifier: MIT
/*
 * Domains are tried from what a group has towards the root. What idled is a fact of
 * some moment before and stays the same from plan to plan, so the answer does too.
 */
#include "config.h"

#include "place/widen.h"

/* The CPUs that idled and that the group may have. */
static struct cpuset
wanted(const struct world_group *g)
{
	if (g->waited == NULL)
		return CPUSET_NONE;
	return cpuset_and(&g->waited->idle, &g->allowed);
}

bool
widen_is_enough(const struct world *w, const struct world_group *g, unsigned int node)
{
	struct cpuset want;

	if (g->waited == NULL)
		return true;
	want = wanted(g);
	want = cpuset_and(&want, &w->classes[g->cls].allowed);
	return cpuset_empty(&want) || cpuset_overlap(&want, &w->tree->nodes[node].cpus);
}

/* What its vCPUs have, as far as they may; @same: they have it all alike. */
static struct cpuset
current(const struct world *w, const struct world_group *g, bool *same)
{
	const struct cpuset *masks = g->in->current;
	struct cpuset all = CPUSET_NONE;

	*same = true;
	for (unsigned int v = 0; v < g->n_current; v++) {
		const struct cpuset *mask = &masks[g->vcpus[v]];

		*same &= cpuset_equal(mask, &masks[g->vcpus[0]]);
		all = cpuset_or(&all, mask);
	}
	return cpuset_and(&all, &w->classes[g->cls].allowed);
}

/* It had a CPU or a core for each vCPU, which is now too little. */
static bool
was_pinned(const struct world_group *g, const struct cpuset *has, bool same)
{
	return (g->in->mode == PLACE_PIN || g->in->mode == PLACE_CORE) &&
	       (!same || cpuset_count(has) < g->n_vcpus);
}

bool
widen_adopt(struct world *w, struct world_group *g)
{
	struct cpuset want = wanted(g);
	struct cpuset has;
	unsigned int node;
	bool same;

	if (g->waited == NULL || !g->in->placed || g->n_current == 0)
		return false;
	has = current(w, g, &same);
	if (cpuset_empty(&has))
		return false;
	/* the others of a VM that is loosened are, too */
	if ((cpuset_empty(&want) || cpuset_overlap(&has, &want)) &&
		!was_pinned(g, &has, same))
		return false;
	node = tree_around(w->tree, w->in->topo, &has);
	while (!widen_is_enough(w, g, node))
		node = (unsigned int)world_wider(w, g, node); /* the top has all */
	g->cause = WORLD_WIDENED;
	world_enter(w, g);
	world_put(w, g, (int)node);
	g->first = g->node;
	return true;
}

bool
widen_shows(const struct world *w, const struct world_group *g)
{
	struct cpuset want = wanted(g);
	struct cpuset has;

	if (g->role != WORLD_FLOAT || cpuset_empty(&want))
		return false;
	has = world_mask(w, g, (unsigned int)g->node);
	return cpuset_overlap(&has, &want);
}
