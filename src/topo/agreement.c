// SPDX-License-Identifier: MIT
/*
 * A group is right when the pairs that are new in it are nearer than those that lead
 * out of it into what is next around it. Where they are not, clusters tell whether it
 * is cut across or merely of no importance. The level's verdict is that of most groups.
 */
#include "config.h"

#include "topo/agreement.h"

#include <math.h>
#include <stdlib.h>

#include "base/xalloc.h"
#include "topo/spread.h"

/* Pairs beyond a group are farther by this at least, in the median ... */
#define RATIO_MIN 1.15f

/* ... and so many on each side are on their side of the middle between the two. */
#define SIDE_MIN 0.8f

/* Groups of which enough is known, and among those the ones that agree. */
#define KNOWN_MIN 0.25f
#define AGREE_MIN 0.75f
#define DENY_MIN 0.5f

/* The members of each block of a partition, block after block. */
struct index {
	unsigned int *first; /* of each head: where its members begin */
	unsigned int *size;
	unsigned int *members;
};

static struct index
index_new(const struct partition *p)
{
	struct index x;
	unsigned int sum = 0;

	x.first = xcalloc(p->n, sizeof(*x.first));
	x.size = xcalloc(p->n, sizeof(*x.size));
	x.members = xcalloc(p->n, sizeof(*x.members));
	partition_sizes(p, x.size);
	for (unsigned int i = 0; i < p->n; i++) {
		x.first[i] = sum;
		sum += x.size[i];
		x.size[i] = 0;
	}
	for (unsigned int i = 0; i < p->n; i++) {
		unsigned int h = p->head[i];

		x.members[x.first[h] + x.size[h]++] = i;
	}
	return x;
}

static void
index_fini(struct index *x)
{
	free(x->first);
	free(x->size);
	free(x->members);
}

struct check {
	const struct lat_view *measured;
	const struct levels *tree;
	unsigned int k;
	const struct cluster *clusters;
	struct index groups;
	struct index *around; /* of each coarser partition; [0]: of tree->at[k + 1] */
	struct spread within; /* of all groups */
	struct spread beyond;
};

static void
count(const struct check *c, unsigned int a, unsigned int b, struct spread *s)
{
	float ns = lat_ns(c->measured, a, b);

	if (ns > 0)
		spread_add(s, ns);
}

/* The pairs of one member: new ones inside its group, and those that lead out of it
 * into the smallest block around that has more. */
static void
look_from(const struct check *c, unsigned int i, struct spread *in, struct spread *out)
{
	const struct partition *level = &c->tree->at[c->k];
	const struct partition *finer = level - 1;
	unsigned int h = level->head[i];
	unsigned int up = 0;
	const struct index *x;

	for (unsigned int m = 0; m < c->groups.size[h]; m++) {
		unsigned int other = c->groups.members[c->groups.first[h] + m];

		if (other < i && finer->head[other] != finer->head[i])
			count(c, i, other, in);
	}
	while (c->around[up].size[level[up + 1].head[i]] == c->groups.size[h])
		up++;
	x = &c->around[up];
	h = level[up + 1].head[i];
	for (unsigned int m = 0; m < x->size[h]; m++) {
		unsigned int other = x->members[x->first[h] + m];

		if (level->head[other] != level->head[i])
			count(c, i, other, out);
	}
}

/* @near is nearer than @far, clearly. */
static bool
is_nearer(const struct spread *near, const struct spread *far)
{
	float a = spread_quantile(near, 0.5f);
	float b = spread_quantile(far, 0.5f);
	float middle = sqrtf(a * b);

	return b >= RATIO_MIN * a && spread_below(near, middle) >= SIDE_MIN &&
	       1 - spread_below(far, middle) >= SIDE_MIN;
}

/* A cluster that holds members of the group and others, but not all of the group. */
static bool
is_cut_across(const struct check *c, unsigned int group)
{
	const struct partition *level = &c->tree->at[c->k];

	for (unsigned int t = 0; t < c->clusters->n_tiers; t++) {
		const struct partition *p = &c->clusters->tiers[t].blocks;
		bool several = false;
		bool others = false;

		for (unsigned int i = 0; i < p->n; i++) {
			/* each block is seen from its lowest member in the group */
			if (level->head[i] == group)
				several |= p->head[i] != p->head[group];
		}
		for (unsigned int i = 0; i < p->n && several && !others; i++)
			others = level->head[i] != group &&
				 level->head[p->head[i]] == group;
		for (unsigned int i = 0; i < p->n && several && !others; i++)
			others = level->head[i] == group &&
				 level->head[p->head[i]] != group;
		if (several && others)
			return true;
	}
	return false;
}

/* Parts of the group, larger than those of the level below, are clusters. */
static bool
is_split(const struct check *c, unsigned int group)
{
	const struct partition *level = &c->tree->at[c->k];
	const struct partition *finer = level - 1;

	for (unsigned int t = 0; t < c->clusters->n_tiers; t++) {
		const struct partition *p = &c->clusters->tiers[t].blocks;
		bool several = false;
		bool larger = false;

		for (unsigned int i = 0; i < p->n; i++) {
			if (level->head[i] != group)
				continue;
			several |= p->head[i] != p->head[group];
			larger |= level->head[p->head[i]] == group &&
				  finer->head[i] != finer->head[p->head[i]];
		}
		if (several && larger)
			return true;
	}
	return false;
}

struct votes {
	unsigned int known;
	unsigned int agree;
	unsigned int deny;
	unsigned int split;
};

static void
look_at_group(struct check *c, unsigned int group, struct votes *v)
{
	struct spread in = {0};
	struct spread out = {0};

	for (unsigned int m = 0; m < c->groups.size[group]; m++)
		look_from(c, c->groups.members[c->groups.first[group] + m], &in, &out);
	spread_add_all(&c->within, &in);
	spread_add_all(&c->beyond, &out);
	if (in.n == 0 || out.n == 0)
		return;
	v->known++;
	v->split += is_split(c, group) ? 1 : 0;
	if (is_nearer(&in, &out))
		v->agree++;
	else if (is_nearer(&out, &in) || is_cut_across(c, group))
		v->deny++;
}

static enum ranking_verdict
verdict_of(const struct votes *v, unsigned int n_groups)
{
	float known = (float)v->known;

	if (v->known == 0 || known < KNOWN_MIN * (float)n_groups)
		return RANKING_UNKNOWN;
	if ((float)v->deny >= DENY_MIN * known)
		return RANKING_DENIED;
	if ((float)v->split >= AGREE_MIN * known)
		return RANKING_SPLIT;
	if ((float)v->agree >= AGREE_MIN * known)
		return RANKING_CONFIRMED;
	return RANKING_UNSEEN;
}

/* A group that is larger than its parts of the level below. */
static bool
has_new_pairs(const struct check *c, unsigned int group)
{
	const struct partition *finer = &c->tree->at[c->k - 1];
	unsigned int first = c->groups.first[group];

	for (unsigned int m = 0; m < c->groups.size[group]; m++) {
		if (finer->head[c->groups.members[first + m]] != finer->head[group])
			return true;
	}
	return false;
}

struct ranking_level
agreement_check(const struct lat_view *measured, const struct levels *tree,
	unsigned int k, const struct cluster *clusters)
{
	const struct partition *level = &tree->at[k];
	auto_free struct check *c = xcalloc(1, sizeof(*c));
	struct ranking_level out = {.name = level->name};
	struct index around[LEVELS_MAX];
	struct votes v = {0};

	*c = (struct check){.measured = measured,
		.tree = tree,
		.k = k,
		.clusters = clusters,
		.groups = index_new(level),
		.around = around};
	for (unsigned int j = k + 1; j < tree->n; j++)
		around[j - k - 1] = index_new(&tree->at[j]);
	for (unsigned int i = 0; i < level->n; i++) {
		if (level->head[i] != i || !has_new_pairs(c, i))
			continue;
		out.n_groups++;
		look_at_group(c, i, &v);
	}
	out.verdict = verdict_of(&v, out.n_groups);
	out.n_agree = v.agree;
	out.within_ns = spread_quantile(&c->within, 0.5f);
	out.beyond_ns = spread_quantile(&c->beyond, 0.5f);
	index_fini(&c->groups);
	for (unsigned int j = k + 1; j < tree->n; j++)
		index_fini(&around[j - k - 1]);
	return out;
}
