// SPDX-License-Identifier: MIT
/*
 * What does not change while a group is placed (crowding, devices, memory that is in
 * place) is summed up for each PU once. The rest are sums over the tree's nodes, cores
 * and host nodes, kept up to date by marks; one walk over the tree before each choice
 * leaves a few additions for each PU.
 */
#include "config.h"

#include "place/pinprice.h"

#include <stdlib.h>

#include "base/xalloc.h"
#include "place/candidates.h"
#include "place/residency.h"

/* Of each node of the tree. */
struct spot {
	double within;	/* demand within it */
	double over;	/* of a leaf: of it what PUs cannot run that it is fixed to */
	double outer;	/* its part of what lies around it */
	double sharing; /* demand of those that float over it, as
			 * candidates_sharing_demand */
	/* For the next vCPU, made by pinprice_look. */
	double ns;   /* what those that float over it and around it pay */
	double room; /* CPUs that are left to run it, here and on the way to the root */
};

/* Of each core. */
struct seat {
	unsigned int n_cpus; /* usable */
	double load;
	double sharing; /* demand of those that are pinned to it */
};

struct pinprice {
	const struct world *w;
	const struct world_group *g;
	double each;  /* CPUs wanted by a vCPU */
	double pairs; /* the VM's other vCPUs */
	struct spot *spots;
	struct seat *seats;
	double *fixed; /* of each PU: what stays there */
	double *ns;    /* of each PU: what does not change */
	double *near;  /* of each PU: sum of latencies to the VM's PUs */
	/* Memory that is touched first: of each host node. */
	bool touches;
	unsigned int n_on;
	unsigned int *on; /* vCPUs */
	double *touch_ns; /* of the next one */
	float *from;
};

static double
weight(const struct pinprice *p, enum term t)
{
	return p->w->in->policy->weights[t] * p->w->tree->worst_ns;
}

static double
above_one(double load)
{
	return load > 1 ? load - 1 : 0;
}

static void
add_near(struct pinprice *p, unsigned int pu, int sign)
{
	const struct lat_view *lat = &p->w->in->latency;

	for (unsigned int i = 0; i < lat->n; i++)
		p->near[i] += sign * (double)lat_ns(lat, pu, i);
}

static void
count_on(struct pinprice *p, unsigned int pu, int sign)
{
	int node = p->w->in->topo->pus[pu].node;

	p->n_on += (unsigned int)sign;
	if (node != TOPO_NONE)
		p->on[node] += (unsigned int)sign;
}

void
pinprice_mark(struct pinprice *p, unsigned int pu, int sign)
{
	const struct tree *tree = p->w->tree;
	struct seat *seat = &p->seats[p->w->in->topo->pus[pu].core];
	double demand = sign * p->each;

	add_near(p, pu, sign);
	count_on(p, pu, sign);
	if (tree->leaf_of_pu[pu] < 0)
		return;
	p->spots[tree->leaf_of_pu[pu]].over +=
		above_one(p->fixed[pu] + demand) - above_one(p->fixed[pu]);
	p->fixed[pu] += demand;
	seat->load += demand;
	seat->sharing += sign * candidates_sharing_demand(p->g) / p->g->n_vcpus;
	for (int n = tree->leaf_of_pu[pu]; n >= 0; n = tree->nodes[n].parent)
		p->spots[n].within += demand;
}

/* What is on cores and PUs. */
static void
lay_seats(struct pinprice *p)
{
	const struct world *w = p->w;

	for (unsigned int i = 0; i < w->in->topo->n_pus; i++) {
		struct seat *seat = &p->seats[w->in->topo->pus[i].core];

		if (w->tree->leaf_of_pu[i] < 0)
			continue;
		p->fixed[i] = w->fixed[i];
		p->spots[w->tree->leaf_of_pu[i]].over += above_one(w->fixed[i]);
		seat->n_cpus++;
		seat->load += w->fixed[i] + world_float_load(w, i);
	}
}

/* Who pays for what comes to a core, or to a node of the tree; what each node feels of
 * it into @feels: demand of others. */
static void
lay_others(struct pinprice *p, double *feels)
{
	const struct world *w = p->w;

	for (unsigned int i = 0; i < w->n_groups; i++) {
		const struct world_group *g = &w->groups[i];
		double demand = candidates_sharing_demand(g);
		bool own = g->vm == p->g->vm;

		if (g->role == WORLD_FLOAT && g->node >= 0) {
			p->spots[g->node].sharing += demand;
			feels[g->node] += g->demand;
		}
		for (unsigned int v = 0; g->pins != NULL && v < g->n_vcpus; v++) {
			int leaf =
				g->pins[v] < 0 ? -1 : w->tree->leaf_of_pu[g->pins[v]];

			if (leaf < 0)
				continue;
			p->seats[w->in->topo->pus[g->pins[v]].core].sharing +=
				demand / g->n_vcpus;
			feels[leaf] += own ? 0 : g->demand / g->n_vcpus;
		}
	}
}

/* Demand of the VM itself in each node: nobody crowds himself. */
static void
count_own(const struct pinprice *p, double *own)
{
	const struct world *w = p->w;
	const struct world_vm *vm = &w->vms[p->g->vm];

	for (unsigned int i = 0; i < vm->n_groups; i++) {
		const struct world_group *g = &w->groups[vm->first_group + i];

		for (unsigned int v = 0; g->pins != NULL && v < g->n_vcpus; v++) {
			int n = g->pins[v] < 0 ? -1 : w->tree->leaf_of_pu[g->pins[v]];

			for (; n >= 0; n = w->tree->nodes[n].parent)
				own[n] += g->demand / g->n_vcpus;
		}
	}
}

/* Weight of the load in a node for those that feel it in a part of it. */
static double
fade(const struct tree *t, unsigned int node)
{
	return t->nodes[node].parent < 0 ? 1 : 0.5;
}

/* Into @crowds, of each node: what a vCPU in it pays for the load of others, and they
 * for it. @feels comes as what lay_others has made of it. */
static void
lay_crowds(const struct pinprice *p, double *feels, double *crowds)
{
	const struct world *w = p->w;
	const struct tree *t = w->tree;
	auto_free double *own = xcalloc(t->n, sizeof(*own));
	auto_free double *theirs = xcalloc(t->n, sizeof(*theirs));

	count_own(p, own);
	for (unsigned int n = 0; n < t->n; n++) {
		feels[n] *= fade(t, n);
		theirs[n] = feels[n] / t->nodes[n].n_cores;
		if (t->nodes[n].parent >= 0)
			feels[t->nodes[n].parent] += feels[n];
	}
	for (unsigned int n = t->n; n-- > 0;) {
		int up = t->nodes[n].parent;
		double load = (world_load(w, n) - own[n]) / t->nodes[n].n_cores;

		crowds[n] = fade(t, n) * load;
		if (up >= 0) {
			crowds[n] += fade(t, n) * crowds[up];
			theirs[n] += theirs[up];
		}
	}
	for (unsigned int n = 0; n < t->n; n++)
		crowds[n] = candidates_crowding_ns(w, crowds[n] + theirs[n]);
}

/* Accesses of a vCPU on host node @node to memory that is in place. */
static double
placed_memory(const struct pinprice *p, float *from, unsigned int node)
{
	const struct world *w = p->w;
	const struct world_vm *vm = &w->vms[p->g->vm];
	unsigned int n = w->in->topo->n_nodes;
	double rest = (double)vm->in->n_vcpus - p->g->n_vcpus;
	double own = 0;
	double others = 0;

	if (node < n)
		from[node] = 1;
	if (p->g->memory_share != NULL)
		own = residency_mean(w->remote, n, from, p->g->memory_share);
	for (unsigned int i = 0; i < vm->n_groups && rest > 0; i++) {
		const struct world_group *o = &w->groups[vm->first_group + i];

		if (o->guest_node != p->g->guest_node && o->memory_share != NULL)
			others += residency_mean(w->remote, n, from, o->memory_share) *
				  o->n_vcpus / rest;
	}
	if (node < n)
		from[node] = 0;
	return rest > 0 ? OWN_MEMORY_SHARE * own + (1 - OWN_MEMORY_SHARE) * others
			: own;
}

/* What a vCPU pays on each host node; the last is for CPUs without one. */
static void
lay_nodes(const struct pinprice *p, double *ns)
{
	const struct topo *topo = p->w->in->topo;

	for (unsigned int node = 0; node <= topo->n_nodes && topo->n_nodes > 0;
		node++) {
		ns[node] = weight(p, TERM_MEMORY) * COST_REMOTE *
			   placed_memory(p, p->from, node);
		if (node == topo->n_nodes || cpuset_empty(&p->g->in->pci_nodes))
			continue;
		p->from[node] = 1;
		ns[node] += weight(p, TERM_PCI) * COST_PCI *
			    residency_nearest(
				    topo, p->w->remote, p->from, &p->g->in->pci_nodes);
		p->from[node] = 0;
	}
}

static void
lay_pus(struct pinprice *p, const double *crowds, const double *nodes)
{
	const struct topo *topo = p->w->in->topo;
	const struct tree *tree = p->w->tree;
	bool both = tree->nodes[tree_root(tree)].n_small > 0;

	for (unsigned int i = 0; i < topo->n_pus; i++) {
		const struct topo_pu *pu = &topo->pus[i];

		if (tree->leaf_of_pu[i] < 0)
			continue;
		p->ns[i] = crowds[tree->leaf_of_pu[i]];
		p->ns[i] += nodes[pu->node == TOPO_NONE ? topo->n_nodes
							: (unsigned int)pu->node];
		if (both && pu->kind == TOPO_KIND_EFFICIENCY)
			p->ns[i] += weight(p, TERM_SMT) * COST_SMALL_CORE;
		p->ns[i] *= p->each;
	}
}

static void
lay_spots(struct pinprice *p)
{
	const struct world *w = p->w;
	const struct tree_node *nodes = w->tree->nodes;

	for (unsigned int n = w->tree->n; n-- > 0;) {
		int up = nodes[n].parent;

		p->spots[n].within = w->below[n];
		if (up >= 0)
			p->spots[n].outer = (p->spots[up].outer + w->own[up]) *
					    nodes[n].n_cpus / nodes[up].n_cpus;
	}
}

/* The VM's other groups are where they are. */
static void
lay_family(struct pinprice *p, const int *pins)
{
	const struct world *w = p->w;
	const struct world_vm *vm = &w->vms[p->g->vm];

	for (unsigned int i = 0; i < vm->n_groups; i++) {
		const struct world_group *g = &w->groups[vm->first_group + i];
		bool own = g->guest_node == p->g->guest_node;

		for (unsigned int v = 0; g->pins != NULL && v < g->n_vcpus; v++) {
			int pu = own ? pins[v] : g->pins[v];

			if (pu < 0)
				continue;
			add_near(p, (unsigned int)pu, 1);
			if (own)
				count_on(p, (unsigned int)pu, 1);
		}
	}
}

struct pinprice *
pinprice_new(const struct world *w, const struct world_group *g, const int *pins)
{
	const struct topo *topo = w->in->topo;
	struct pinprice *p = xcalloc(1, sizeof(*p));
	auto_free double *feels = xcalloc(w->tree->n, sizeof(*feels));
	auto_free double *crowds = xcalloc(w->tree->n, sizeof(*crowds));
	auto_free double *nodes = xcalloc(topo->n_nodes + 1, sizeof(*nodes));

	p->w = w;
	p->g = g;
	p->each = g->demand / g->n_vcpus;
	p->pairs = g->in->n_vcpus > 1 ? g->in->n_vcpus - 1.0 : 1;
	p->touches = g->memory_share == NULL && topo->n_nodes > 0;
	p->spots = xcalloc(w->tree->n, sizeof(*p->spots));
	p->seats = xcalloc(topo->n_cores, sizeof(*p->seats));
	p->fixed = xcalloc(topo->n_pus, sizeof(*p->fixed));
	p->ns = xcalloc(topo->n_pus, sizeof(*p->ns));
	p->near = xcalloc(topo->n_pus, sizeof(*p->near));
	p->on = xcalloc(topo->n_nodes, sizeof(*p->on));
	p->touch_ns = xcalloc(topo->n_nodes + 1, sizeof(*p->touch_ns));
	p->from = xcalloc(topo->n_nodes, sizeof(*p->from));
	lay_seats(p);
	lay_spots(p);
	lay_others(p, feels);
	lay_crowds(p, feels, crowds);
	lay_nodes(p, nodes);
	lay_pus(p, crowds, nodes);
	lay_family(p, pins);
	return p;
}

void
pinprice_free(struct pinprice *p)
{
	if (p == NULL)
		return;
	free(p->spots);
	free(p->seats);
	free(p->fixed);
	free(p->ns);
	free(p->near);
	free(p->on);
	free(p->touch_ns);
	free(p->from);
	free(p);
}

/* What the vCPUs pay for memory that they touch where they are, and @node one more. */
static double
touched_ns(const struct pinprice *p, unsigned int node, unsigned int n_on)
{
	const struct world *w = p->w;
	unsigned int n = w->in->topo->n_nodes;
	struct residency_want want = {.share = p->from,
		.gib = p->g->new_gib,
		.free_gib = w->free_gib,
		.own_gib = p->g->taken_gib};
	double part = p->g->n_vcpus == p->g->in->n_vcpus ? 1 : OWN_MEMORY_SHARE;

	if (n_on == 0)
		return 0;
	for (unsigned int i = 0; i < n; i++)
		p->from[i] = (float)(p->on[i] + (i == node)) / (float)n_on;
	residency_touch(w->in->topo, w->remote, &want, w->touched);
	return part * p->each * n_on * weight(p, TERM_MEMORY) * COST_REMOTE *
	       residency_mean(w->remote, n, p->from, w->touched);
}

static void
look_at_memory(struct pinprice *p)
{
	unsigned int n = p->w->in->topo->n_nodes;
	double now = touched_ns(p, UINT32_MAX, p->n_on);

	for (unsigned int node = 0; node <= n; node++)
		p->touch_ns[node] = touched_ns(p, node, p->n_on + 1) - now;
}

/* Room of each node: children first, what runs in them takes it from their parent. */
static void
look_at_room(struct pinprice *p)
{
	const struct tree *t = p->w->tree;

	for (unsigned int n = 0; n < t->n; n++)
		p->spots[n].room = p->spots[n].over;
	/* until a node's turn comes: what its parts cannot run, which is in within */
	for (unsigned int n = 0; n < t->n; n++) {
		struct spot *s = &p->spots[n];
		int up = t->nodes[n].parent;
		double cpus = t->nodes[n].n_cpus;
		double runs = s->within - s->room;

		runs = runs < cpus ? runs : cpus;
		s->room = cpus - runs;
		if (up >= 0)
			p->spots[up].room += s->within - runs;
	}
}

void
pinprice_look(struct pinprice *p)
{
	const struct tree_node *nodes = p->w->tree->nodes;

	look_at_room(p);
	for (unsigned int n = p->w->tree->n; n-- > 0;) {
		struct spot *s = &p->spots[n];
		double load = s->within + s->outer;
		int up = nodes[n].parent;

		s->ns = 0;
		if (s->sharing > 0)
			s->ns = candidates_sharing_ns(p->w,
				s->sharing *
					(objective_sharing(nodes[n].n_cpus,
						 nodes[n].n_cores, load + p->each) -
						objective_sharing(nodes[n].n_cpus,
							nodes[n].n_cores, load)));
		if (up < 0)
			continue;
		s->ns += p->spots[up].ns;
		if (p->spots[up].room < s->room)
			s->room = p->spots[up].room;
	}
	if (p->touches)
		look_at_memory(p);
}

/* It and the others on its core share it. */
static double
sharing_ns(const struct pinprice *p, const struct seat *seat)
{
	double mine = candidates_sharing_demand(p->g) / p->g->n_vcpus;
	double before = objective_sharing(seat->n_cpus, 1, seat->load);
	double after = objective_sharing(seat->n_cpus, 1, seat->load + p->each);

	return candidates_sharing_ns(
		p->w, seat->sharing * (after - before) + mine * after);
}

double
pinprice_of(const struct pinprice *p, unsigned int pu)
{
	const struct topo *topo = p->w->in->topo;
	int node = topo->pus[pu].node;
	const struct spot *s = &p->spots[p->w->tree->leaf_of_pu[pu]];
	double room = 1 - p->fixed[pu];
	double lost;

	room = room < s->room ? room : s->room;
	lost = p->each - (room > 0 ? room : 0);
	lost = lost > 0 ? lost : 0;
	return p->ns[pu] + s->ns + sharing_ns(p, &p->seats[topo->pus[pu].core]) +
	       p->touch_ns[node == TOPO_NONE ? topo->n_nodes : (unsigned int)node] +
	       weight(p, TERM_WAITING) * COST_LOST * lost +
	       p->w->in->policy->weights[TERM_COMMUNICATION] * 2 * p->each *
		       p->near[pu] / p->pairs;
}
