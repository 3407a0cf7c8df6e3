// SPDX-License-Identifier: MIT
/* Reading a place back from masks. */
#include "config.h"

#include "place/adopt.h"

#include "place/guestcore.h"
#include "place/narrow.h"
#include "place/pin.h"
#include "place/widen.h"

/* The vCPUs have one mask, and CPUs of it may still be used: those, in @cut. */
static bool
common_mask(const struct world *w, const struct world_group *g, struct cpuset *cut)
{
	const struct plan_vm *in = g->in;

	if (!in->placed || g->n_current == 0)
		return false;
	for (unsigned int i = 1; i < g->n_current; i++) {
		if (!cpuset_equal(&in->current[g->vcpus[i]], &in->current[g->vcpus[0]]))
			return false;
	}
	*cut = cpuset_and(&in->current[g->vcpus[0]], &w->classes[g->cls].allowed);
	return !cpuset_empty(cut);
}

/* The group could not use all of @node when it got @cut of it, and now it can. */
static bool
gets_back(const struct world *w, const struct world_group *g, const struct cpuset *cut,
	unsigned int node)
{
	struct cpuset rest = world_mask(w, g, node);

	rest = cpuset_minus(&rest, cut);
	return !cpuset_empty(&g->in->could) && !cpuset_within(&rest, &g->in->could);
}

enum kind { KIND_L3, KIND_NODE, KIND_LEAF, KIND_CORE };

/* The @i-th group of a kind that placements are made of, or NULL. */
static const struct cpuset *
group_of(const struct world *w, enum kind kind, unsigned int i)
{
	const struct topo *topo = w->in->topo;
	const struct tree *t = w->tree;

	switch (kind) {
	case KIND_CORE:
		return i < topo->n_cores ? &topo->cores[i].cpus : NULL;
	case KIND_L3:
		return i < topo->n_l3 ? &topo->l3[i].cpus : NULL;
	case KIND_NODE:
		return i < topo->n_nodes ? &topo->nodes[i].cpus : NULL;
	case KIND_LEAF:
	default: /* leaves come first */
		return i < t->n && t->nodes[i].parts[0] < 0 ? &t->nodes[i].cpus : NULL;
	}
}

/* @cpus are some groups of a kind, each whole as far as it may be used. */
static bool
is_whole(const struct world *w, enum kind kind, const struct cpuset *allowed,
	const struct cpuset *cpus)
{
	struct cpuset covered = CPUSET_NONE;
	const struct cpuset *group;

	for (unsigned int i = 0; (group = group_of(w, kind, i)) != NULL; i++) {
		struct cpuset part = cpuset_and(group, allowed);

		if (!cpuset_overlap(&part, cpus))
			continue;
		if (!cpuset_within(&part, cpus))
			return false;
		covered = cpuset_or(&covered, &part);
	}
	return cpuset_within(cpus, &covered);
}

/*
 * CPUs that are no node of this tree but may have been one of another: what is near
 * what is known better by now, or less well. That alone moves nobody. A group of which
 * CPUs were offline is not whole, and is no such case; for whole ones see gets_back.
 */
static bool
stays_apart(
	const struct world *w, const struct world_group *g, const struct cpuset *cpus)
{
	const struct cpuset *allowed = &w->classes[g->cls].allowed;

	if (cpuset_count(cpus) < g->n_vcpus)
		return false;
	return is_whole(w, KIND_L3, allowed, cpus) ||
	       is_whole(w, KIND_NODE, allowed, cpus) ||
	       is_whole(w, KIND_LEAF, allowed, cpus);
}

/*
 * vCPUs that have cores: they keep them, or float over the node around. One core that
 * all have is a mask like others, unless they keep it.
 */
static bool
adopt_cores(struct world *w, struct world_group *g)
{
	const struct plan_vm *in = g->in;
	struct cpuset cpus;
	struct cpuset cut;
	unsigned int node;
	bool lost = false;

	if (!narrow_reads(w, g, &cpus))
		return false;
	node = tree_around(w->tree, w->in->topo, &cpus);
	if (!narrow_adopt(w, g, node) && common_mask(w, g, &cut))
		return false;
	g->narrowed = true;
	for (unsigned int v = 0; v < g->n_current; v++)
		lost |= !cpuset_within(&in->current[g->vcpus[v]], &cpus);
	if (g->cores != NULL)
		g->cause = WORLD_KEPT;
	else if (lost)
		g->cause = WORLD_CUT;
	else
		g->cause = g->n_current < g->n_vcpus ? WORLD_PLUGGED : WORLD_GROWN;
	world_enter(w, g);
	world_put(w, g, (int)node);
	g->first = g->node;
	return true;
}

/*
 * What is left of a mask is no domain, but may be of one: the VM stays, with all of
 * @node, which holds it. It is most of that: the rest was offline; or cores of it: the
 * others were another VM's alone; or in one L3 group, so that staying costs nothing; or
 * most of what it had before CPUs went away. Else: never a domain of ours.
 */
static bool
is_part_of_ours(const struct world *w, const struct world_group *g,
	const struct cpuset *cut, unsigned int node)
{
	unsigned int had = cpuset_count(&g->in->current[g->vcpus[0]]);
	unsigned int n = cpuset_count(cut);

	return n * 2 >= world_room(w, g, node) || w->tree->nodes[node].parts[0] < 0 ||
	       (n < had && n * 2 >= had) ||
	       is_whole(w, KIND_CORE, &w->classes[g->cls].allowed, cut);
}

bool
adopt_float(struct world *w, struct world_group *g)
{
	struct cpuset cut;
	unsigned int node;
	unsigned int room;

	if (widen_adopt(w, g) || adopt_cores(w, g))
		return true;
	if (!common_mask(w, g, &cut))
		return false;
	node = tree_around(w->tree, w->in->topo, &cut);
	room = world_room(w, g, node);
	g->cause = WORLD_KEPT;
	if (cpuset_count(&cut) != room && !gets_back(w, g, &cut, node) &&
		stays_apart(w, g, &cut)) {
		g->apart = true;
		g->cls = world_class_of(w, &cut); /* as if that were its limit */
		room = cpuset_count(&cut);
	}
	if (cpuset_count(&cut) != room) {
		if (!is_part_of_ours(w, g, &cut, node))
			return false;
		g->cause = WORLD_GROWN;
	} else if (!cpuset_equal(&cut, &g->in->current[g->vcpus[0]])) {
		g->cause = WORLD_CUT;
	} else if (g->n_current < g->n_vcpus) {
		g->cause = WORLD_PLUGGED;
	}
	world_enter(w, g);
	world_put(w, g, (int)node);
	g->first = g->node;
	return true;
}

/* The PU that a mask stands for, or -1. Masks of mode core are a whole core, as far as
 * it may be used. */
static int
pu_of_mask(const struct world *w, const struct world_group *g, const struct cpuset *has)
{
	const struct topo *topo = w->in->topo;
	struct cpuset cut = cpuset_and(has, &w->classes[g->cls].allowed);
	int pu;

	if (cpuset_empty(&cut))
		return -1;
	pu = topo->pu_of_cpu[cpuset_next(&cut, 0)];
	if (!g->whole_cores)
		return cpuset_count(has) == 1 ? pu : -1;
	if (!cpuset_within(&cut, &topo->cores[topo->pus[pu].core].cpus))
		return -1;
	return (int)pin_in_core(w, g, (unsigned int)topo->pus[pu].core);
}

/* Another vCPU of its guest core is on another core: that is no place of mode core. */
static bool
leaves_siblings(const struct world *w, const struct world_group *g,
	const struct guest_cores *guest, unsigned int v, int pu)
{
	const struct topo_pu *pus = w->in->topo->pus;

	for (unsigned int k = 0; g->whole_cores && guest->threads && k < v; k++) {
		if (guest->of[k] == guest->of[v] && g->pins[k] >= 0)
			return pus[g->pins[k]].core != pus[pu].core;
	}
	return false;
}

bool
adopt_pin(struct world *w, struct world_group *g)
{
	const struct plan_vm *in = g->in;
	struct guest_cores guest = guestcore_list(g);
	bool grown = false;
	bool cut = false;
	unsigned int n = 0;

	/* two vCPUs on one PU stay: there was no other, and only a rebalance moves */
	for (unsigned int v = 0; in->placed && v < g->n_current; v++) {
		const struct cpuset *has = &in->current[g->vcpus[v]];
		struct cpuset mask;
		int pu = g->pins[v];

		if (pu < 0) /* else it is an isolated one */
			pu = pu_of_mask(w, g, has);
		if (pu < 0 || leaves_siblings(w, g, &guest, v, pu))
			continue;
		if (g->pins[v] < 0)
			world_pin(w, g, v, pu);
		mask = pin_mask(w, g, v);
		cut |= !cpuset_within(has, &mask);
		grown |= !cpuset_within(&mask, has);
		n++;
	}
	guestcore_fini(&guest);
	if (n == 0)
		g->cause = WORLD_NEW;
	else if (n < g->n_current || cut)
		g->cause = WORLD_CUT;
	else if (n < g->n_vcpus)
		g->cause = WORLD_PLUGGED;
	else if (grown)
		g->cause = WORLD_GROWN;
	else
		g->cause = WORLD_KEPT;
	return n == g->n_vcpus;
}
