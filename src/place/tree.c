// SPDX-License-Identifier: MIT
/*
 * The domain tree. Parts of a domain are joined two and two, the nearest first, until
 * two are left: a host with twelve L3 groups in a node offers 1, 2, 4, 8 and 12 of
 * them, and any two offers are nested or disjoint. The joints depend on the host only,
 * so a later run finds the same ones, unless its latencies are known better by then.
 */
#include "config.h"

#include "place/tree.h"

#include <assert.h>
#include <float.h>
#include <limits.h>
#include <stdlib.h>

#include "base/str.h"
#include "base/xalloc.h"

#define TAKEN UINT_MAX /* joined already */

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
	bool hybrid; /* usable CPUs are of performance and of efficiency cores */
	unsigned int cap;
	double *sums;
};

/* In this order: the best comes first, so that it has the lower nodes. */
static const enum topo_kind kinds[] = {
	TOPO_KIND_PERFORMANCE, TOPO_KIND_UNKNOWN, TOPO_KIND_EFFICIENCY};

#define N_KINDS ARRAY_LEN(kinds)

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

static struct cpuset
of_kind(const struct topo *topo, const struct cpuset *cpus, enum topo_kind kind)
{
	struct cpuset out = CPUSET_NONE;

	cpuset_foreach (cpu, cpus) {
		if (topo_pu_of(topo, cpu)->kind == kind)
			cpuset_add(&out, cpu);
	}
	return out;
}

static unsigned int
add_leaf(struct build *b, const struct cpuset *cpus, const struct cpuset *whole,
	int tier)
{
	struct tree *t = b->tree;
	struct cpuset small = CPUSET_NONE;

	if (b->hybrid)
		small = of_kind(b->topo, cpus, TOPO_KIND_EFFICIENCY);
	assert(t->n < b->cap);
	t->nodes[t->n] = (struct tree_node){
		.cpus = *cpus,
		.whole = *whole,
		.n_cpus = cpuset_count(cpus),
		.n_cores = topo_count_cores(b->topo, cpus),
		.n_small = cpuset_count(&small),
		.parent = -1,
		.parts = {-1, -1},
		.tier = tier,
	};
	cpuset_foreach (cpu, cpus)
		t->leaf_of_pu[b->topo->pu_of_cpu[cpu]] = (int)t->n;
	return t->n++;
}

/* The leaves of a domain: itself, or one for each kind of its cores, into @leaves (room
 * for N_KINDS). Returns how many. */
static unsigned int
add_leaves(struct build *b, const struct domain *d, const struct cpuset *usable,
	int tier, unsigned int *leaves)
{
	struct cpuset all = cpuset_and(&d->cpus, usable);
	unsigned int n = 0;

	if (cpuset_empty(&all))
		return 0;
	if (!b->hybrid) {
		leaves[0] = add_leaf(b, &all, &d->cpus, tier);
		return 1;
	}
	for (size_t k = 0; k < N_KINDS; k++) {
		struct cpuset whole = of_kind(b->topo, &d->cpus, kinds[k]);
		struct cpuset cpus = cpuset_and(&whole, usable);

		if (cpuset_empty(&cpus))
			continue;
		if (cpuset_equal(&cpus, &all)) {
			leaves[n++] = add_leaf(b, &all, &d->cpus, tier);
			break;
		}
		leaves[n++] = add_leaf(b, &cpus, &whole, TOPO_NONE);
	}
	return n;
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

/* No two CPUs are farther apart than a millisecond; what is no latency is none. */
static double
sane_ns(float ns)
{
	if (!(ns > 0)) /* also not a number */
		return 0;
	return ns < 1e6F ? (double)ns : 1e6;
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
			double ns = sane_ns(lat_ns(b->lat, pu[i], pu[j]));

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
		.n_small = nx->n_small + ny->n_small,
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

/* The one among items[from..] nearest to @x; where several are, the lowest CPU. @n:
 * none left. */
static unsigned int
nearest(const struct build *b, unsigned int x, const unsigned int *items,
	unsigned int from, unsigned int n)
{
	double least = DBL_MAX;

	for (unsigned int i = from; i < n; i++) {
		if (items[i] != TAKEN && distance(b, x, items[i]) < least)
			least = distance(b, x, items[i]);
	}
	for (unsigned int i = from; i < n; i++) {
		if (items[i] != TAKEN && distance(b, x, items[i]) <= least * SAME_RATIO)
			return i;
	}
	return n;
}

/* Join @items two and two, each with its nearest, the lowest CPU first. Returns how
 * many are left. */
static unsigned int
halve(struct build *b, unsigned int *items, unsigned int n)
{
	unsigned int left = 0;

	for (unsigned int i = 0; i < n; i++) {
		unsigned int x = items[i];
		unsigned int mate;

		if (x == TAKEN)
			continue;
		mate = nearest(b, x, items, i + 1, n);
		if (mate < n) {
			x = join(b, x, items[mate], TOPO_NONE);
			items[mate] = TAKEN;
		}
		items[left++] = x; /* left <= i: its place has been read */
	}
	return left;
}

/* The node of a domain whose parts are @items (in order of their lowest CPU). */
static int
join_all(struct build *b, unsigned int *items, unsigned int n, int tier)
{
	if (n == 0)
		return -1;
	while (n > 2)
		n = halve(b, items, n);
	if (n == 1)
		return (int)items[0]; /* adds nothing to its only part */
	return (int)join(b, items[0], items[1], tier);
}

/* @at: the node of each domain of the tier below, -1: nothing usable there. */
static void
build_tier(struct build *b, unsigned int t, int *at, unsigned int *items)
{
	const struct ranking *r = b->ranking;
	const struct tier *below = &r->tiers[t - 1];

	for (unsigned int d = 0; d < r->tiers[t].n_domains; d++) {
		unsigned int index = r->tiers[t].first_domain + d;
		unsigned int n = 0;

		for (unsigned int i = 0; i < below->n_domains; i++) {
			unsigned int part = below->first_domain + i;

			if (r->domains[part].parent == (int)index && at[part] >= 0)
				items[n++] = (unsigned int)at[part];
		}
		at[index] = join_all(b, items, n, (int)t);
		if (n > 1)
			b->tree->nodes[at[index]].whole = r->domains[index].cpus;
	}
}

/* The domains of the tier that leaves are made of; @at as in build_tier. */
static void
build_leaves(struct build *b, unsigned int t, const struct cpuset *usable, int *at)
{
	const struct tier *tier = &b->ranking->tiers[t];
	unsigned int *leaves = xcalloc(tier->n_domains, N_KINDS * sizeof(*leaves));
	unsigned int *n = xcalloc(tier->n_domains, sizeof(*n));

	for (unsigned int d = 0; d < tier->n_domains; d++)
		n[d] = add_leaves(b, &b->ranking->domains[tier->first_domain + d],
			usable, (int)t, leaves + d * N_KINDS);
	sum_leaves(b, usable);
	for (unsigned int d = 0; d < tier->n_domains; d++) {
		unsigned int index = tier->first_domain + d;

		at[index] = join_all(b, leaves + d * N_KINDS, n[d], (int)t);
		if (n[d] > 1)
			b->tree->nodes[at[index]].whole =
				b->ranking->domains[index].cpus;
	}
	free(leaves);
	free(n);
}

static bool
is_hybrid(const struct topo *topo, const struct cpuset *usable)
{
	struct cpuset large = of_kind(topo, usable, TOPO_KIND_PERFORMANCE);
	struct cpuset small = of_kind(topo, usable, TOPO_KIND_EFFICIENCY);

	return !cpuset_empty(&large) && !cpuset_empty(&small);
}

static void
keep_sums(const struct build *b)
{
	struct tree *t = b->tree;

	t->sums_ns = xcalloc((size_t)t->n * t->n, sizeof(*t->sums_ns));
	for (unsigned int x = 0; x < t->n; x++) {
		for (unsigned int y = 0; y < t->n; y++)
			t->sums_ns[(size_t)x * t->n + y] = (float)pair_sum(b, x, y);
	}
}

struct tree *
tree_new(const struct topo *topo, const struct ranking *r, const struct lat_view *lat,
	const struct cpuset *usable)
{
	struct tree *t = xcalloc(1, sizeof(*t));
	unsigned int first = leaf_tier(r);
	unsigned int n_leaves = r->tiers[first].n_domains;
	struct build b = {.topo = topo, .ranking = r, .lat = lat, .tree = t};
	auto_free int *at = xcalloc(r->n_domains, sizeof(*at));
	auto_free unsigned int *items = xcalloc(n_leaves, sizeof(*items));

	b.hybrid = is_hybrid(topo, usable);
	/* a binary tree has fewer */
	b.cap = 2 * n_leaves * (b.hybrid ? (unsigned int)N_KINDS : 1);
	b.sums = xcalloc((size_t)b.cap * b.cap, sizeof(*b.sums));
	t->nodes = xcalloc(b.cap, sizeof(*t->nodes));
	t->leaf_of_pu = xcalloc(topo->n_pus, sizeof(*t->leaf_of_pu));
	t->worst_ns = TREE_WORST_MIN_NS;
	for (unsigned int i = 0; i < topo->n_pus; i++)
		t->leaf_of_pu[i] = -1;
	build_leaves(&b, first, usable, at);
	for (unsigned int i = first + 1; i < r->n_tiers; i++)
		build_tier(&b, i, at, items);
	keep_sums(&b);
	free(b.sums);
	assert(t->n > 0 && t->nodes[tree_root(t)].parent == -1);
	return t;
}

void
tree_free(struct tree *t)
{
	if (t == NULL)
		return;
	free(t->nodes);
	free(t->leaf_of_pu);
	free(t->sums_ns);
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

bool
tree_within(const struct tree *t, unsigned int inner, unsigned int outer)
{
	/* children before parents */
	while (inner < outer && t->nodes[inner].parent >= 0)
		inner = (unsigned int)t->nodes[inner].parent;
	return inner == outer;
}

double
tree_between_ns(const struct tree *t, unsigned int x, unsigned int y)
{
	unsigned int inner = x < y ? x : y;
	unsigned int outer = x < y ? y : x;
	double pairs = (double)t->nodes[x].n_cores * t->nodes[y].n_cores;

	if (tree_within(t, inner, outer))
		pairs -= t->nodes[inner].n_cores;
	if (pairs <= 0)
		return 0;
	return (double)t->sums_ns[(size_t)x * t->n + y] / pairs;
}
