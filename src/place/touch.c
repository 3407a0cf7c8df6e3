// SPDX-License-Identifier: MIT
/* Memory follows who touches it first. */
#include "config.h"

#include "place/touch.h"

void
touch_add(const struct topo *topo, const struct cpuset *mask, double weight,
	double *share)
{
	unsigned int n = cpuset_count(mask);

	for (unsigned int i = 0; n > 0 && i < topo->n_nodes; i++) {
		struct cpuset here = cpuset_and(mask, &topo->nodes[i].cpus);

		share[i] += weight * cpuset_count(&here) / n;
	}
}

static double
sum_of(const double *share, unsigned int n)
{
	double sum = 0;

	for (unsigned int i = 0; i < n; i++)
		sum += share[i];
	return sum;
}

/* An unknown size counts as memory. */
static bool
has_memory(const struct topo_node *node)
{
	return !node->mem_known || node->mem_kib > 0;
}

static bool
may_use(const struct topo *topo, const struct cpuset *bound, unsigned int node)
{
	return cpuset_empty(bound) || cpuset_has(bound, topo->nodes[node].id);
}

/* The nearest node that has memory and may be used, the first of equals, or -1. */
static int
nearest(const struct topo *topo, const struct cpuset *bound, unsigned int from)
{
	unsigned int least = 0;
	int best = -1;

	for (unsigned int i = 0; i < topo->n_nodes; i++) {
		unsigned int d = topo_distance(topo, from, i);

		if (!has_memory(&topo->nodes[i]) || !may_use(topo, bound, i))
			continue;
		if (best >= 0 && d >= least)
			continue;
		best = (int)i;
		least = d;
	}
	return best;
}

static void
bind(const struct topo *topo, const struct cpuset *bound, double *share)
{
	for (unsigned int i = 0; i < topo->n_nodes; i++) {
		if (!may_use(topo, bound, i))
			share[i] = 0;
	}
	if (sum_of(share, topo->n_nodes) > 0)
		return;
	for (unsigned int i = 0; i < topo->n_nodes; i++) {
		if (may_use(topo, bound, i))
			share[i] = 1;
	}
}

bool
touch_settle(const struct topo *topo, const struct cpuset *bound, double *share)
{
	double sum;

	if (!cpuset_empty(bound))
		bind(topo, bound, share);
	for (unsigned int i = 0; i < topo->n_nodes; i++) {
		int to;

		if (!(share[i] > 0) || has_memory(&topo->nodes[i]))
			continue;
		to = nearest(topo, bound, i);
		if (to >= 0)
			share[to] += share[i];
		share[i] = 0;
	}
	sum = sum_of(share, topo->n_nodes);
	for (unsigned int i = 0; sum > 0 && i < topo->n_nodes; i++)
		share[i] /= sum;
	return sum > 0;
}
