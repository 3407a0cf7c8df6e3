// SPDX-License-Identifier: MIT
/*
 * Choosing PUs, one at a time, each time the cheapest in a domain. A PU that is
 * nobody's always comes before one that is taken.
 */
#include "config.h"

#include "place/pin.h"

#include <float.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "place/candidates.h"

/* Sharing a PU is worse than any distance, and worst with the VM's own vCPUs: they are
 * busy together, others perhaps not. Both are summed over the choices. */
struct price {
	unsigned int stacked; /* vCPUs that are on the PU already */
	unsigned int own;     /* of them the VM's */
	double ns;
};

static const struct price price_max = {
	.stacked = UINT_MAX, .own = UINT_MAX, .ns = DBL_MAX};

static bool
cheaper(const struct price *a, const struct price *b)
{
	if (a->stacked != b->stacked)
		return a->stacked < b->stacked;
	if (a->own != b->own)
		return a->own < b->own;
	return a->ns < b->ns;
}

struct choice {
	struct world *w;
	struct world_group *g;
	double each;	   /* CPUs wanted by a vCPU */
	double *floating;  /* of each PU: load of VMs that float over it */
	unsigned int *own; /* of each PU: the VM's vCPUs on it */
	double *near;	   /* of each PU: sum of latencies to the VM's own PUs */
	unsigned int n_near;
	int *pins; /* as g->pins, with what is being tried */
};

static void
mark(struct choice *c, unsigned int pu, int sign)
{
	const struct world *w = c->w;

	w->fixed[pu] += sign * c->each;
	if (sign > 0)
		w->taken[pu]++;
	else
		w->taken[pu]--;
	c->own[pu] += (unsigned int)sign;
	for (unsigned int i = 0; i < w->in->topo->n_pus; i++)
		c->near[i] += sign * (double)lat_ns(&w->in->latency, pu, i);
	c->n_near += (unsigned int)sign;
}

/* What one vCPU more pays on this PU. */
static struct price
price_of(const struct choice *c, unsigned int pu)
{
	const struct topo *topo = c->w->in->topo;
	const struct cpuset *core = &topo->cores[topo->pus[pu].core].cpus;
	double own = c->w->fixed[pu] + c->floating[pu];
	double siblings = 0;
	struct price price = {.stacked = c->w->taken[pu], .own = c->own[pu]};

	cpuset_foreach (cpu, core) {
		unsigned int i = (unsigned int)topo->pu_of_cpu[cpu];

		if (i != pu)
			siblings += c->w->fixed[i] + c->floating[i];
	}
	price.ns = c->w->tree->worst_ns * (COST_LOST * own + COST_SMT * siblings);
	if (c->n_near > 0)
		price.ns += c->near[pu] / c->n_near;
	return price;
}

/* Fill c->pins from @cpus. Returns what it costs; c->w is as before. */
static struct price
fill(struct choice *c, const struct cpuset *cpus)
{
	const struct topo *topo = c->w->in->topo;
	unsigned int n = c->g->n_vcpus;
	struct price total = {0};

	memcpy(c->pins, c->g->pins, n * sizeof(*c->pins));
	for (unsigned int v = 0; v < n; v++) {
		struct price best = price_max;

		if (c->pins[v] >= 0)
			continue;
		cpuset_foreach (cpu, cpus) {
			struct price price =
				price_of(c, (unsigned int)topo->pu_of_cpu[cpu]);

			if (cheaper(&price, &best)) {
				best = price;
				c->pins[v] = topo->pu_of_cpu[cpu];
			}
		}
		total.stacked += best.stacked;
		total.own += best.own;
		total.ns += best.ns;
		mark(c, (unsigned int)c->pins[v], 1);
	}
	for (unsigned int v = 0; v < n; v++) {
		if (c->g->pins[v] < 0)
			mark(c, (unsigned int)c->pins[v], -1);
	}
	return total;
}

/* The cheapest domain for a VM that has no PU yet. */
static unsigned int
choose_domain(struct choice *c)
{
	auto_free struct candidate *list = xcalloc(c->w->tree->n, sizeof(*list));
	unsigned int n = candidates_list(c->w, c->g, list);
	struct price best = price_max;
	unsigned int node = c->w->classes[c->g->cls].top;

	for (unsigned int i = 0; i < n; i++) {
		struct cpuset cpus = world_mask(c->w, c->g, list[i].node);
		struct price price;

		if (best.stacked == 0 && list[i].cost >= best.ns)
			break; /* the rest costs no less */
		price = fill(c, &cpus);
		price.ns += list[i].cost;
		if (cheaper(&price, &best)) {
			best = price;
			node = list[i].node;
		}
	}
	return node;
}

/* The domain around the PUs the VM has that is best for the rest: farther CPUs of idle
 * cores against near siblings, but idle ones before all. */
static unsigned int
choose_near(struct choice *c)
{
	struct cpuset has = pin_cpus(c->w, c->g);
	int up = (int)tree_around(c->w->tree, c->w->in->topo, &has);
	unsigned int node = (unsigned int)up;
	struct price best = price_max;

	for (; up >= 0; up = world_wider(c->w, c->g, (unsigned int)up)) {
		struct cpuset cpus = world_mask(c->w, c->g, (unsigned int)up);
		struct price price = fill(c, &cpus);

		if (cheaper(&price, &best)) {
			best = price;
			node = (unsigned int)up;
		}
	}
	return node;
}

struct cpuset
pin_cpus(const struct world *w, const struct world_group *g)
{
	struct cpuset cpus = CPUSET_NONE;

	for (unsigned int v = 0; v < g->n_vcpus; v++) {
		if (g->pins[v] >= 0)
			cpuset_add(&cpus, w->in->topo->pus[g->pins[v]].cpu);
	}
	return cpus;
}

unsigned int
pin_stacked(const struct world *w, const struct world_group *g)
{
	unsigned int n = 0;

	for (unsigned int v = 0; v < g->n_vcpus; v++)
		n += w->taken[g->pins[v]] > 1;
	return n;
}

void
pin_place(struct world *w, struct world_group *g)
{
	unsigned int n = g->n_vcpus;
	unsigned int n_pus = w->in->topo->n_pus;
	auto_free double *floating = xcalloc(n_pus, sizeof(*floating));
	auto_free double *near = xcalloc(n_pus, sizeof(*near));
	auto_free unsigned int *own = xcalloc(n_pus, sizeof(*own));
	auto_free int *pins = xcalloc(n, sizeof(*pins));
	struct choice c = {.w = w, .g = g, .each = g->demand / n, .pins = pins};
	struct cpuset cpus;
	unsigned int node;

	c.floating = floating;
	c.near = near;
	c.own = own;
	for (unsigned int i = 0; i < n_pus; i++)
		floating[i] = w->tree->leaf_of_pu[i] >= 0 ? world_float_load(w, i) : 0;
	for (unsigned int v = 0; v < n; v++) {
		for (unsigned int i = 0; g->pins[v] >= 0 && i < n_pus; i++)
			near[i] += (double)lat_ns(
				&w->in->latency, (unsigned int)g->pins[v], i);
		if (g->pins[v] >= 0) {
			own[g->pins[v]]++;
			c.n_near++;
		}
	}
	if (c.n_near == n)
		return;
	node = c.n_near == 0 ? choose_domain(&c) : choose_near(&c);
	cpus = world_mask(w, g, node);
	g->load_before = world_load(w, node);
	(void)fill(&c, &cpus);
	for (unsigned int v = 0; v < n; v++) {
		if (g->pins[v] >= 0)
			continue;
		world_pin(w, g, v, (unsigned int)pins[v]);
	}
}
