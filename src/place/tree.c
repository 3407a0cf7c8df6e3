// SPDX-License-Identifier: MIT
/*
 * The domain tree. Parts of a domain are joined two and two, the nearest first, until
 * two are left: a host with twelve L3 groups in a node offers 1, 2, 4, 8 and 12 of
 * them, and any two offers are nested or disjoint. What VMs have stays: parts of a
 * union that one has are joined to each other before anything else, so that a later run
 * finds it even when the host's latencies have been measured in between.
 */
#include "config.h"

#include "place/tree.h"

#include <assert.h>
#include <float.h>
#include <limits.h>
#include <stdlib.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "place/unions.h"

#define TAKEN UINT_MAX /* joined already */

/* Spreads the bits of a key. Source: splitmix64 (Steele 2014). */
#define KEY_FACTOR UINT64_C(0x9e3779b97f4a7c15)

/* Farther by less than this is no difference: the lower CPU decides, and measuring
 * again changes no joint. */
#define SAME_RATIO 1.05

/* sums[a * cap + b]: latency between the cores of a and those of b, over ordered pairs.
 */
struct build {
	const struct topo *topo;
	const struct ranking *ranking;
	const struct lat_view *lat;
	struct tree *tree;
	struct unions unions;
	unsigned int cap;
	double *sums;
};

/* Tiers below the smallest domain a VM may float in: cores, shared L2, single CPUs. */
static unsigned int
leaf_tier(const struct ranking *r)
{
	for (unsigned int t = 0; t + 1 < r->n_tiers; t++) {
		const struct tier *tier = &r->tiers[t];

		if (str_equal(tier->name, "core") || str_equal(tier->name, "l2"))
			continue;
		for (unsigned int d = 0; d < tier->n_domains; d++) {
			if (r->domains[tier->first_domain + d].n_cores > 1)
				return t;
		}
	}
	return r->n_tiers - 1;
}

static int
add_leaf(struct build *b, const struct domain *d, const struct cpuset *usable, int tier)
{
	struct cpuset cpus = cpuset_and(&d->cpus, usable);
	struct tree *t = b->tree;

	if (cpuset_empty(&cpus))
		return -1;
	t->nodes[t->n] = (struct tree_node){
		.cpus = cpus,
		.whole = d->cpus,
		.n_cpus = cpuset_count(&cpus),
		.n_cores = topo_count_cores(b->topo, &cpus),
		.parent = -1,
		.parts = {-1, -1},
		.tier = tier,
	};
	cpuset_foreach (cpu, &cpus)
		t->leaf_of_pu[b->topo->pu_of_cpu[cpu]] = (int)t->n;
	return (int)t->n++;
}

static double
pair_sum(const struct build *b, unsigned int x, unsigned int y)
{
	return b->sums[(size_t)x * b->cap + y];
}

static void
set_latency(const struct build *b, unsigned int n)
{
	struct tree_node *node = &b->tree->nodes[n];
	double pairs = (double)node->n_cores * (node->n_cores - 1.0);

	node->latency_ns = pairs > 0 ? pair_sum(b, n, n) / pairs : 0;
}

/* One usable PU stands for its core: the sibling has the same neighbours. */
static void
sum_leaves(struct build *b, const struct cpuset *usable)
{
	const struct topo *topo = b->topo;
	unsigned int *pu = xcalloc(topo->n_cores, sizeof(*pu));
	unsigned int n = 0;

	for (unsigned int c = 0; c < topo->n_cores; c++) {
		struct cpuset cpus = cpuset_and(&topo->cores[c].cpus, usable);

		if (!cpuset_empty(&cpus))
			pu[n++] = (unsigned int)topo->pu_of_cpu[cpuset_next(&cpus, 0)];
	}
	for (unsigned int i = 0; i < n; i++) {
		double *row = b->sums + (size_t)b->tree->leaf_of_pu[pu[i]] * b->cap;

		for (unsigned int j = 0; j < n; j++) {
			double ns = (double)lat_ns(b->lat, pu[i], pu[j]);

			if (i == j)
				continue;
			row[b->tree->leaf_of_pu[pu[j]]] += ns;
			if (ns > b->tree->worst_ns)
				b->tree->worst_ns = ns;
		}
	}
	free(pu);
	for (unsigned int i = 0; i < b->tree->n; i++)
		set_latency(b, i);
}

/* A new node of two; sums of the two are added up. */
static unsigned int
join(struct build *b, unsigned int x, unsigned int y, int tier)
{
	struct tree *t = b->tree;
	unsigned int n = t->n++;
	struct tree_node *nx = &t->nodes[x];
	struct tree_node *ny = &t->nodes[y];

	assert(n < b->cap);
	t->nodes[n] = (struct tree_node){
		.cpus = cpuset_or(&nx->cpus, &ny->cpus),
		.whole = cpuset_or(&nx->whole, &ny->whole),
		.n_cpus = nx->n_cpus + ny->n_cpus,
		.n_cores = nx->n_cores + ny->n_cores,
		.parent = -1,
		.parts = {(int)x, (int)y},
		.tier = tier,
	};
	nx->parent = (int)n;
	ny->parent = (int)n;
	for (unsigned int i = 0; i < n; i++) {
		double sum = pair_sum(b, x, i) + pair_sum(b, y, i);

		b->sums[(size_t)n * b->cap + i] = sum;
		b->sums[(size_t)i * b->cap + n] = sum;
	}
	b->sums[(size_t)n * b->cap + n] = pair_sum(b, n, x) + pair_sum(b, n, y);
	set_latency(b, n);
	return n;
}

/* Mean latency between the cores of two disjoint nodes. */
static double
distance(const struct build *b, unsigned int x, unsigned int y)
{
	const struct tree_node *nodes = b->tree->nodes;

	return pair_sum(b, x, y) / ((double)nodes[x].n_cores * nodes[y].n_cores);
}

/* Parts of a domain that are to be joined, in order of their lowest CPU. */
struct parts {
	unsigned int n;
	unsigned int *nodes;
	const struct cpuset *
		*around; /* of each: the union it has to complete, or NULL */
	unsigned int n_unions;
	const struct cpuset **unions;
};

/* The one among those from @from on that is nearest to @at and belongs to the same
 * union; where several are, the lowest CPU. p->n: there is none. */
static unsigned int
nearest(const struct build *b, const struct parts *p, unsigned int at)
{
	double least = DBL_MAX;

	for (unsigned int pass = 0; pass < 2; pass++) {
		for (unsigned int i = at + 1; i < p->n; i++) {
			double ns;

			if (p->nodes[i] == TAKEN || p->around[i] != p->around[at])
				continue;
			ns = distance(b, p->nodes[at], p->nodes[i]);
			if (pass == 1 && ns <= least * SAME_RATIO)
				return i;
			least = ns < least ? ns : least;
		}
	}
	return p->n;
}

/* Join the parts two and two, each with its nearest, the lowest CPU first. */
static void
halve(struct build *b, struct parts *p)
{
	unsigned int left = 0;

	for (unsigned int i = 0; i < p->n; i++)
		p->around[i] = unions_around(
			p->unions, p->n_unions, &b->tree->nodes[p->nodes[i]].cpus);
	for (unsigned int i = 0; i < p->n; i++) {
		unsigned int x = p->nodes[i];
		unsigned int mate;

		if (x == TAKEN)
			continue;
		mate = nearest(b, p, i);
		if (mate < p->n) {
			x = join(b, x, p->nodes[mate], TOPO_NONE);
			p->nodes[mate] = TAKEN;
		}
		p->nodes[left++] = x; /* left <= i: its place has been read */
	}
	p->n = left;
}

/* The unions among these parts, which no longer change. */
static void
find_unions(const struct build *b, struct parts *p)
{
	auto_free const struct cpuset **cpus = xcalloc(p->n, sizeof(*cpus));

	for (unsigned int i = 0; i < p->n; i++)
		cpus[i] = &b->tree->nodes[p->nodes[i]].cpus;
	p->n_unions = unions_of_parts(&b->unions, cpus, p->n, p->unions);
}

/* The node of a domain whose parts are these. */
static int
join_all(struct build *b, struct parts *p, int tier)
{
	if (p->n == 0)
		return -1;
	if (p->n > 2)
		find_unions(b, p);
	/* an innermost union has two parts or more, so each round joins some */
	while (p->n > 2)
		halve(b, p);
	if (p->n == 1)
		return (int)p->nodes[0]; /* adds nothing to its only part */
	return (int)join(b, p->nodes[0], p->nodes[1], tier);
}

/* @at: the node of each domain of the tier below, -1: nothing usable there. */
static void
build_tier(struct build *b, unsigned int t, int *at, struct parts *p)
{
	const struct ranking *r = b->ranking;
	const struct tier *below = &r->tiers[t - 1];

	for (unsigned int d = 0; d < r->tiers[t].n_domains; d++) {
		unsigned int index = r->tiers[t].first_domain + d;
		unsigned int n = 0;

		for (unsigned int i = 0; i < below->n_domains; i++) {
			unsigned int part = below->first_domain + i;

			if (r->domains[part].parent == (int)index && at[part] >= 0)
				p->nodes[n++] = (unsigned int)at[part];
		}
		p->n = n;
		at[index] = join_all(b, p, (int)t);
		if (n > 1)
			b->tree->nodes[at[index]].whole = r->domains[index].cpus;
	}
}

static void
build_tiers(struct build *b, unsigned int first, int *at)
{
	unsigned int n = b->tree->n;
	auto_free unsigned int *nodes = xcalloc(n, sizeof(*nodes));
	auto_free const struct cpuset **around = xcalloc(n, sizeof(*around));
	auto_free const struct cpuset **unions = xcalloc(b->unions.n, sizeof(*unions));
	struct parts p = {.nodes = nodes, .around = around, .unions = unions};

	for (unsigned int t = first + 1; t < b->ranking->n_tiers; t++)
		build_tier(b, t, at, &p);
}

static struct tree *
build_new(struct build *b, const struct cpuset *usable)
{
	const struct ranking *r = b->ranking;
	struct tree *t = xcalloc(1, sizeof(*t));
	unsigned int first = leaf_tier(r);
	unsigned int n_leaves = r->tiers[first].n_domains;
	auto_free int *at = xcalloc(r->n_domains, sizeof(*at));

	b->tree = t;
	b->cap = 2 * n_leaves; /* a binary tree has fewer */
	b->sums = xcalloc((size_t)b->cap * b->cap, sizeof(*b->sums));
	t->nodes = xcalloc(b->cap, sizeof(*t->nodes));
	t->leaf_of_pu = xcalloc(b->topo->n_pus, sizeof(*t->leaf_of_pu));
	t->worst_ns = TREE_WORST_MIN_NS;
	for (unsigned int i = 0; i < b->topo->n_pus; i++)
		t->leaf_of_pu[i] = -1;
	for (unsigned int d = 0; d < n_leaves; d++) {
		unsigned int index = r->tiers[first].first_domain + d;

		at[index] = add_leaf(b, &r->domains[index], usable, (int)first);
	}
	sum_leaves(b, usable);
	build_tiers(b, first, at);
	free(b->sums);
	assert(t->n > 0 && t->nodes[tree_root(t)].parent == -1);
	return t;
}

/* What a VM has and may use of the usable CPUs. */
struct grip {
	uint64_t key; /* equal for equal sets */
	struct cpuset has;
	struct cpuset limit;
};

static uint64_t
key_of(const struct tree_held *held, const struct cpuset *usable)
{
	uint64_t key = 0;

	for (unsigned int w = 0; w < CPUSET_WORDS; w++) {
		uint64_t limit = held->limit->words[w] & usable->words[w];

		key = (key ^ (held->mask->words[w] & limit) ^ ~limit) * KEY_FACTOR;
	}
	return key;
}

/* It is what the VM gets from some node. */
static bool
is_node(const struct tree *t, const struct topo *topo, const struct grip *g)
{
	unsigned int n = tree_around(t, topo, &g->has);
	struct cpuset gets = cpuset_and(&t->nodes[n].cpus, &g->limit);

	return cpuset_equal(&gets, &g->has);
}

/* The leaves it touches; how many is in @n. */
static struct cpuset
touched(const struct tree *t, const struct grip *g, unsigned int *n)
{
	struct cpuset out = CPUSET_NONE;

	*n = 0;
	for (unsigned int i = 0; i < t->n; i++) {
		if (t->nodes[i].parts[0] >= 0 ||
			!cpuset_overlap(&t->nodes[i].cpus, &g->has))
			continue;
		out = cpuset_or(&out, &t->nodes[i].cpus);
		++*n;
	}
	return out;
}

/* Unions of what has all of some leaves come first (@whole); the others are such that
 * their VM gets the same, and take in what they would overlap. */
static void
add_union(struct build *b, const struct grip *g, bool whole)
{
	unsigned int n;
	struct cpuset set = touched(b->tree, g, &n);
	struct cpuset gets;

	if (n < 2 || cpuset_equal(&set, &g->has) != whole)
		return;
	if (!whole)
		unions_close(&b->unions, &set);
	gets = cpuset_and(&set, &g->limit);
	if (cpuset_count(&g->has) * 2 >= cpuset_count(&gets))
		unions_add(&b->unions, &set);
}

/* What different VMs have; most have what another one has. New array, free() it. */
static struct grip *
find_grips(const struct tree_held *held, unsigned int n_held,
	const struct cpuset *usable, unsigned int *n)
{
	struct grip *out = NULL;
	size_t cap = 0;

	*n = 0;
	for (unsigned int i = 0; i < n_held; i++) {
		struct grip g = {.key = key_of(&held[i], usable)};
		unsigned int k = 0;

		while (k < *n && out[k].key != g.key)
			k++;
		if (k < *n)
			continue;
		g.limit = cpuset_and(held[i].limit, usable);
		g.has = cpuset_and(held[i].mask, &g.limit);
		out = xgrow(out, *n, &cap, sizeof(*out));
		out[(*n)++] = g;
	}
	return out;
}

struct tree *
tree_new(const struct topo *topo, const struct ranking *r, const struct lat_view *lat,
	const struct cpuset *usable, const struct tree_held *held, unsigned int n_held)
{
	struct build b = {.topo = topo, .ranking = r, .lat = lat};
	struct tree *t = build_new(&b, usable);
	unsigned int n;
	auto_free struct grip *grips = find_grips(held, n_held, usable, &n);
	bool missing = false;

	for (unsigned int i = 0; i < n && !missing; i++)
		missing = !cpuset_empty(&grips[i].has) && !is_node(t, topo, &grips[i]);
	for (unsigned int i = 0; i < n && missing; i++)
		add_union(&b, &grips[i], true);
	for (unsigned int i = 0; i < n && missing; i++)
		add_union(&b, &grips[i], false);
	if (b.unions.n > 0) {
		tree_free(t);
		t = build_new(&b, usable);
	}
	unions_fini(&b.unions);
	return t;
}

void
tree_free(struct tree *t)
{
	if (t == NULL)
		return;
	free(t->nodes);
	free(t->leaf_of_pu);
	free(t);
}

unsigned int
tree_around(const struct tree *t, const struct topo *topo, const struct cpuset *cpus)
{
	int n = t->leaf_of_pu[topo->pu_of_cpu[cpuset_next(cpus, 0)]];

	assert(n >= 0);
	while (!cpuset_within(cpus, &t->nodes[n].cpus))
		n = t->nodes[n].parent;
	return (unsigned int)n;
}
