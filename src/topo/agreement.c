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

/* ... and so many of the near ones are below so many of the far ones. */
#define SIDE_MIN 0.8f

/* A good part of a cluster: a CPU that has strayed is less. */
#define CUT_MIN 0.25f

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
	unsigned int *inside; /* scratch, of each member; zero between uses */
	unsigned int *sizes[CLUSTER_TIERS_MAX]; /* of the clusters, at their heads */
	struct index around[LEVELS_MAX]; /* of coarser partitions, from at[k + 1] on */
	struct spread within;		 /* of all groups */
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
	return spread_quantile(far, 0.5f) >= RATIO_MIN * spread_quantile(near, 0.5f) &&
	       spread_quantile(far, 1 - SIDE_MIN) > spread_quantile(near, SIDE_MIN);
}

/* A cluster has a good part of its members in the group, which has others, and a good
 * part outside. */
static bool
is_cut_across(const struct check *c, unsigned int group)
{
	const unsigned int *members = c->groups.members + c->groups.first[group];
	unsigned int n = c->groups.size[group];

	for (unsigned int t = 0; t < c->clusters->n_tiers; t++) {
		const struct partition *p = &c->clusters->tiers[t].blocks;
		bool cut = false;

		for (unsigned int m = 0; m < n; m++)
			c->inside[p->head[members[m]]]++;
		for (unsigned int m = 0; m < n; m++) {
			unsigned int h = p->head[members[m]];
			float part = (float)c->inside[h] / (float)c->sizes[t][h];

			cut |= c->inside[h] < n && part >= CUT_MIN &&
			       part <= 1 - CUT_MIN;
		}
		for (unsigned int m = 0; m < n; m++)
			c->inside[p->head[members[m]]] = 0;
		if (cut)
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
	if (is_nearer(&out, &in) || is_cut_across(c, group))
		v->deny++;
	else if (is_nearer(&in, &out))
		v->agree++;
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

static void
check_init(struct check *c, unsigned int n)
{
	c->groups = index_new(&c->tree->at[c->k]);
	c->inside = xcalloc(n, sizeof(*c->inside));
	for (unsigned int t = 0; t < c->clusters->n_tiers; t++) {
		c->sizes[t] = xcalloc(n, sizeof(*c->sizes[t]));
		partition_sizes(&c->clusters->tiers[t].blocks, c->sizes[t]);
	}
	for (unsigned int j = c->k + 1; j < c->tree->n; j++)
		c->around[j - c->k - 1] = index_new(&c->tree->at[j]);
}

static void
check_fini(struct check *c)
{
	index_fini(&c->groups);
	free(c->inside);
	for (unsigned int t = 0; t < c->clusters->n_tiers; t++)
		free(c->sizes[t]);
	for (unsigned int j = c->k + 1; j < c->tree->n; j++)
		index_fini(&c->around[j - c->k - 1]);
}

struct ranking_level
agreement_check(const struct lat_view *measured, const struct levels *tree,
	unsigned int k, const struct cluster *clusters)
{
	const struct partition *level = &tree->at[k];
	auto_free struct check *c = xcalloc(1, sizeof(*c));
	struct ranking_level out = {.name = level->name};
	struct votes v = {0};

	c->measured = measured;
	c->tree = tree;
	c->k = k;
	c->clusters = clusters;
	check_init(c, level->n);
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
	check_fini(c);
	return out;
}
