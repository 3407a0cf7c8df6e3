// SPDX-License-Identifier: MIT
/*
 * Load accounting. The places of VMs live in the VMs; own, below, cut, fixed, taken and
 * the waiting model are sums over them and change only together, here.
 */
#include "config.h"

#include "place/world.h"

#include <stdlib.h>

#include "base/xalloc.h"
#include "place/footprint.h"
#include "place/objective.h"

void
world_free(struct world *w)
{
	if (w == NULL)
		return;
	for (unsigned int i = 0; i < w->n_classes; i++) {
		free(w->classes[i].count);
		free(w->classes[i].share);
		free(w->classes[i].small);
		free(w->classes[i].slot);
	}
	for (unsigned int i = 0; i < w->n_groups; i++) {
		free(w->groups[i].pins);
		free(w->groups[i].cores);
		free(w->groups[i].bound_share);
		free(w->groups[i].taken_gib);
	}
	for (unsigned int i = 0; i < w->n_vms; i++)
		free(w->vms[i].vcpus);
	for (unsigned int i = 0; i < w->tree->n; i++)
		free(w->names[i]);
	free(w->names);
	free(w->classes);
	free(w->groups);
	free(w->vms);
	free(w->own);
	free(w->below);
	free(w->cut);
	free(w->fixed);
	free(w->taken);
	free(w->others);
	free(w->remote);
	free(w->free_gib);
	free(w->touched);
	wait_free(w->wait);
	tree_free(w->tree);
	free(w);
}

/* Count the class's CPUs in the leaves, then add up towards the root. */
static void
count_class(const struct world *w, struct world_class *c)
{
	const struct topo *topo = w->in->topo;
	const struct tree *t = w->tree;
	unsigned int n_nodes = topo->n_nodes;

	cpuset_foreach (cpu, &c->allowed) {
		unsigned int pu = (unsigned int)topo->pu_of_cpu[cpu];
		unsigned int leaf = (unsigned int)t->leaf_of_pu[pu];

		c->count[leaf]++;
		if (c->small != NULL && t->nodes[leaf].n_small > 0)
			c->small[leaf] += 1;
		if (topo->pus[pu].node != TOPO_NONE)
			c->share[leaf * n_nodes + (unsigned int)topo->pus[pu].node] +=
				1;
	}
	for (unsigned int n = 0; n < t->n; n++) {
		unsigned int up = (unsigned int)t->nodes[n].parent;

		if (t->nodes[n].parent < 0)
			continue;
		c->count[up] += c->count[n];
		if (c->small != NULL)
			c->small[up] += c->small[n];
		for (unsigned int i = 0; i < n_nodes; i++)
			c->share[up * n_nodes + i] += c->share[n * n_nodes + i];
	}
	for (unsigned int n = 0; n < t->n; n++) {
		for (unsigned int i = 0; i < n_nodes && c->count[n] > 0; i++)
			c->share[n * n_nodes + i] /= (float)c->count[n];
		if (c->small != NULL && c->count[n] > 0)
			c->small[n] /= (float)c->count[n];
	}
}

unsigned int
world_class_of(struct world *w, const struct cpuset *allowed)
{
	const struct tree *t = w->tree;
	struct world_class *c;

	for (unsigned int i = 0; i < w->n_classes; i++) {
		if (cpuset_equal(&w->classes[i].allowed, allowed))
			return i;
	}
	w->classes =
		xgrow(w->classes, w->n_classes, &w->cap_classes, sizeof(*w->classes));
	c = &w->classes[w->n_classes];
	*c = (struct world_class){
		.allowed = *allowed,
		.n_cpus = cpuset_count(allowed),
		.top = tree_around(t, w->in->topo, allowed),
		.count = xcalloc(t->n, sizeof(*c->count)),
		.share =
			xcalloc((size_t)t->n * w->in->topo->n_nodes, sizeof(*c->share)),
		.slot = xcalloc(t->n, sizeof(*c->slot)),
	};
	if (t->nodes[tree_root(t)].n_small > 0)
		c->small = xcalloc(t->n, sizeof(*c->small));
	for (unsigned int n = 0; n < t->n; n++)
		c->slot[n] = -1;
	if (w->n_classes == 0)
		c->slot[tree_root(t)] = 0;
	count_class(w, c);
	return w->n_classes++;
}

/* The part that another class has made of the same CPUs of @node, or -1. Parts that
 * overlap in some CPUs only know nothing of each other. */
static int
same_part(const struct world *w, const struct world_class *c, unsigned int node)
{
	const struct cpuset *cpus = &w->tree->nodes[node].cpus;
	struct cpuset mine = cpuset_and(cpus, &c->allowed);

	for (unsigned int i = 1; i < w->n_classes; i++) {
		const struct world_class *other = &w->classes[i];
		struct cpuset its;

		if (other->slot[node] < 0 || other->count[node] != c->count[node])
			continue;
		its = cpuset_and(cpus, &other->allowed);
		if (cpuset_equal(&its, &mine))
			return other->slot[node];
	}
	return -1;
}

unsigned int
world_slot(struct world *w, unsigned int cls, unsigned int node)
{
	const struct tree_node *tn = &w->tree->nodes[node];
	struct world_class *c = &w->classes[cls];
	unsigned int slot;

	if (c->slot[node] < 0)
		c->slot[node] = same_part(w, c, node);
	if (c->slot[node] >= 0)
		return (unsigned int)c->slot[node];
	if (cls != 0 && c->count[node] == tn->n_cpus)
		slot = world_slot(w, 0, node);
	else if (cls != 0)
		slot = wait_add_part(w->wait, world_slot(w, 0, node), c->count[node]);
	else
		slot = wait_add_slot(w->wait,
			world_slot(w, 0, (unsigned int)tn->parent), tn->n_cpus);
	c->slot[node] = (int)slot;
	return slot;
}

struct cpuset
world_mask(const struct world *w, const struct world_group *g, unsigned int node)
{
	return cpuset_and(&w->tree->nodes[node].cpus, &w->classes[g->cls].allowed);
}

unsigned int
world_room(const struct world *w, const struct world_group *g, unsigned int node)
{
	return w->classes[g->cls].count[node];
}

int
world_wider(const struct world *w, const struct world_group *g, unsigned int node)
{
	const struct world_class *c = &w->classes[g->cls];

	for (int up = w->tree->nodes[node].parent; up >= 0;
		up = w->tree->nodes[up].parent) {
		if (c->count[up] > c->count[node])
			return up;
	}
	return -1;
}

double
world_load(const struct world *w, unsigned int node)
{
	const struct tree_node *nodes = w->tree->nodes;
	double load = w->below[node];

	for (int up = nodes[node].parent; up >= 0; up = nodes[up].parent)
		load += w->own[up] * nodes[node].n_cpus / nodes[up].n_cpus;
	return load;
}

double
world_own_load(const struct world *w, const struct world_group *g, unsigned int node)
{
	const struct world_class *c = &w->classes[g->cls];
	const struct cpuset *cpus = &w->tree->nodes[node].cpus;
	unsigned int n = 0;

	if (g->pins == NULL && g->node < 0)
		return 0;
	if (g->pins == NULL && tree_within(w->tree, (unsigned int)g->node, node))
		return g->demand;
	if (g->pins == NULL && tree_within(w->tree, node, (unsigned int)g->node))
		return g->demand * c->count[node] / c->count[g->node];
	if (g->pins == NULL)
		return 0;
	for (unsigned int v = 0; v < g->n_vcpus; v++)
		n += g->pins[v] >= 0 &&
		     cpuset_has(cpus, w->in->topo->pus[g->pins[v]].cpu);
	return g->demand * n / g->n_vcpus;
}

double
world_load_of_others(
	const struct world *w, const struct world_group *g, unsigned int node)
{
	return world_load(w, node) - world_own_load(w, g, node);
}

double
world_float_load(const struct world *w, unsigned int pu)
{
	const struct tree_node *nodes = w->tree->nodes;
	double load = w->cut[pu];

	for (int n = w->tree->leaf_of_pu[pu]; n >= 0; n = nodes[n].parent)
		load += w->own[n] / nodes[n].n_cpus;
	return load;
}

static void
add_below(struct world *w, int node, double demand)
{
	for (; node >= 0; node = w->tree->nodes[node].parent)
		w->below[node] += demand;
}

void
world_enter(struct world *w, struct world_group *g)
{
	if (g->entered)
		return;
	g->entered = true;
	wait_enter(w->wait, world_slot(w, g->cls, w->classes[g->cls].top), &g->need);
}

/* Steps of a 256th: sums of them are exact. */
static double
background_of(const struct plan_input *in, unsigned int pu)
{
	double load = in->background[pu];

	if (!(load > 0)) /* not a number neither */
		return 0;
	return load < 1 ? (double)(int)(load * 256 + 0.5) / 256 : 1;
}

double
world_background(const struct world *w, unsigned int pu)
{
	return w->in->background != NULL ? background_of(w->in, pu) : 0;
}

/* CPU use by others of each node of the tree: on the leaves. New array. */
static double *
background_sums(const struct world *w)
{
	double *sums = xcalloc(w->tree->n, sizeof(*sums));

	for (unsigned int i = 0; i < w->in->topo->n_pus; i++) {
		if (w->tree->leaf_of_pu[i] >= 0)
			sums[w->tree->leaf_of_pu[i]] += background_of(w->in, i);
	}
	return sums;
}

/* It takes room from those who wait. */
void
world_lay_background(struct world *w)
{
	auto_free double *sums = background_sums(w);

	for (unsigned int n = 0; n < w->tree->n; n++) {
		int32_t units = (int32_t)(sums[n] * WAIT_UNIT + 0.5);

		if (units > 0)
			wait_enter_always(w->wait, world_slot(w, 0, n), units);
	}
}

/* CPU use by others: it stays where it is. */
static void
lay_background(struct world *w)
{
	auto_free double *sums = background_sums(w);

	for (unsigned int i = 0; i < w->in->topo->n_pus; i++) {
		if (w->tree->leaf_of_pu[i] >= 0)
			w->fixed[i] = background_of(w->in, i);
	}
	for (unsigned int n = 0; n < w->tree->n; n++)
		add_below(w, (int)n, sums[n]);
	world_lay_background(w);
}

struct world *
world_new(const struct plan_input *in, const struct cpuset *usable,
	struct world_vm *vms, struct world_group *groups, unsigned int n_groups)
{
	struct world *w = xcalloc(1, sizeof(*w));
	struct tree *t = tree_new(in->topo, in->ranking, &in->latency, usable);

	w->in = in;
	w->strict = 1;
	w->usable = *usable;
	w->tree = t;
	w->wait = wait_new(t->nodes[tree_root(t)].n_cpus);
	w->n_vms = in->n_vms;
	w->vms = vms;
	w->n_groups = n_groups;
	w->groups = groups;
	w->names = xcalloc(t->n, sizeof(*w->names));
	w->own = xcalloc(t->n, sizeof(*w->own));
	w->below = xcalloc(t->n, sizeof(*w->below));
	w->cut = xcalloc(in->topo->n_pus, sizeof(*w->cut));
	w->fixed = xcalloc(in->topo->n_pus, sizeof(*w->fixed));
	w->taken = xcalloc(in->topo->n_pus, sizeof(*w->taken));
	(void)world_class_of(w, usable);
	if (in->background != NULL)
		lay_background(w);
	footprint_set_up(w);
	for (unsigned int i = 0; i < n_groups; i++)
		footprint_of(w, &groups[i]);
	return w;
}

/* Load of a VM that may use only some CPUs of its node: on those, on no other. */
static void
add_cut(struct world *w, const struct world_group *g, unsigned int node, double demand)
{
	const struct tree_node *nodes = w->tree->nodes;
	const struct world_class *c = &w->classes[g->cls];
	struct cpuset cpus = world_mask(w, g, node);
	double each = demand / c->count[node];

	add_below(w, nodes[node].parent, demand);
	for (unsigned int n = 0; n < w->tree->n; n++) {
		int up = (int)n;

		while (up >= 0 && up != (int)node)
			up = nodes[up].parent;
		if (up >= 0)
			w->below[n] += each * c->count[n];
	}
	cpuset_foreach (cpu, &cpus)
		w->cut[w->in->topo->pu_of_cpu[cpu]] += each;
}

static void
add_load(struct world *w, const struct world_group *g, unsigned int node, double demand)
{
	if (world_room(w, g, node) < w->tree->nodes[node].n_cpus) {
		add_cut(w, g, node, demand);
		return;
	}
	w->own[node] += demand;
	add_below(w, (int)node, demand);
}

void
world_put(struct world *w, struct world_group *g, int node)
{
	footprint_put(w, g, node);
	if (g->node >= 0) {
		unsigned int from = (unsigned int)g->node;

		wait_take(w->wait, world_slot(w, g->cls, from), &g->need);
		add_load(w, g, from, -g->demand);
	}
	g->node = node;
	if (node >= 0) {
		wait_put(w->wait, world_slot(w, g->cls, (unsigned int)node), &g->need);
		add_load(w, g, (unsigned int)node, g->demand);
	}
}

struct wait_cost
world_try(struct world *w, const struct world_group *g, unsigned int node)
{
	int from = -1;

	if (g->node >= 0)
		from = (int)world_slot(w, g->cls, (unsigned int)g->node);
	return wait_try(w->wait, from, world_slot(w, g->cls, node), &g->need);
}

int64_t
world_excess(struct world *w, unsigned int node)
{
	return wait_excess(w->wait, world_slot(w, 0, node));
}

int64_t
world_parts_excess(struct world *w, unsigned int node)
{
	return wait_parts_excess(w->wait, world_slot(w, 0, node));
}

int64_t
world_own_excess(struct world *w, const struct world_group *g)
{
	if (g->node < 0 || world_room(w, g, (unsigned int)g->node) ==
				   w->tree->nodes[g->node].n_cpus)
		return 0;
	return wait_excess(w->wait, world_slot(w, g->cls, (unsigned int)g->node));
}

static void
lay_pin(struct world *w, const struct world_group *g, int pu, int sign)
{
	int leaf = w->tree->leaf_of_pu[pu];
	double demand = g->demand / g->n_vcpus;
	struct wait_need need =
		wait_need_scaled(&g->need, (int32_t)(demand * WAIT_UNIT));

	wait_pin(w->wait, world_slot(w, 0, (unsigned int)leaf), &need, sign);
	w->fixed[pu] += sign * demand;
	w->taken[pu] += (unsigned int)sign;
	add_below(w, leaf, sign * demand);
}

void
world_pin(struct world *w, struct world_group *g, unsigned int i, int pu)
{
	if (g->pins[i] >= 0)
		lay_pin(w, g, g->pins[i], -1);
	g->pins[i] = pu;
	if (pu >= 0)
		lay_pin(w, g, pu, 1);
}

void
world_fix(struct world *w, const struct world_load_on *load, int sign)
{
	unsigned int cls = world_class_of(w, &load->cpus);
	const struct world_class *c = &w->classes[cls];
	unsigned int slot = world_slot(w, cls, c->top);
	double each = sign * load->demand / c->n_cpus;

	if (sign > 0)
		wait_put(w->wait, slot, &load->need);
	else
		wait_take(w->wait, slot, &load->need);
	for (unsigned int n = 0; n < w->tree->n; n++)
		w->below[n] += each * c->count[n];
	cpuset_foreach (cpu, &load->cpus) {
		unsigned int pu = (unsigned int)w->in->topo->pu_of_cpu[cpu];

		w->fixed[pu] += each;
		/* as good as pinned: its CPUs carry at least half a vCPU each */
		if (each >= 0.5)
			w->taken[pu]++;
		else if (each <= -0.5)
			w->taken[pu]--;
	}
}

void
world_enter_within(
	struct world *w, const struct cpuset *limit, const struct world_load_on *load)
{
	unsigned int cls = world_class_of(w, limit);

	wait_enter(w->wait, world_slot(w, cls, w->classes[cls].top), &load->need);
	world_fix(w, load, 1);
}

void
world_enter_fixed(struct world *w, const struct world_load_on *load)
{
	world_enter_within(w, &load->cpus, load);
}

bool
world_waits_ok(const struct world *w, const struct wait_cost *c)
{
	const struct plan_policy *p = w->in->policy;

	return c->mean <= w->strict * p->wait_mean_max &&
	       c->tail <= w->strict * p->wait_tail_max;
}

static double
above(double value, double max)
{
	/* a bound of 0 must not divide by it */
	return value > max ? (value - max) / (max > 0.001 ? max : 0.001) : 0;
}

double
world_wait_penalty(const struct world *w, const struct wait_cost *c)
{
	const struct plan_policy *p = w->in->policy;

	if (world_waits_ok(w, c))
		return 0;
	return PENALTY_MEAN * above(c->mean, w->strict * p->wait_mean_max) +
	       PENALTY_TAIL * above(c->tail, w->strict * p->wait_tail_max) +
	       PENALTY_OVER * c->over;
}
