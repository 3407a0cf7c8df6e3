// SPDX-License-Identifier: MIT
/*
 * Clusters, step by step: the steps of the histogram of all pairs are the candidates.
 * Below a step each member has neighbours; two that are neighbours and have mostly the
 * same neighbours are in one block, so that single wrong values join and part nobody.
 * What does not explain the pairs, or is not a step inside its surroundings, is thrown
 * away. Latencies that grow evenly (a mesh) leave nothing.
 */
#include "config.h"

#include "topo/cluster.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "topo/spread.h"

#define STEPS_MAX 16u

/* Pairs that contradict a partition, as a share of the pairs inside its blocks. */
#define WRONG_MAX 0.3f
#define WRONG_ROUGH 0.5f /* before it is mended */

/* Share of the members that a tier has to say something about: less is chance. */
#define COVER_MIN 0.25f

/* From nine tenths of the pairs of a tier to nine tenths of those beyond: latencies of
 * one class spread about as much as this. */
#define GAP_MIN 1.15f

/* Members in blocks of the usual size that make it the rule. */
#define REGULAR_MIN 0.6f

/* Blocks that what is left over is compared with have at least so many members: two
 * threads of a core say nothing about cores of one. */
#define LEFT_BLOCK_MIN 4u

struct search {
	const struct lat_view *lat;
	unsigned int words;	/* of a row of bits */
	uint64_t *known;	/* n rows; a member knows itself */
	uint64_t *near;		/* n rows: known and below the step, and itself */
	struct cluster_tier tiers[STEPS_MAX]; /* ascending step */
	unsigned int n_tiers;
};

static bool
has(const uint64_t *row, unsigned int i)
{
	return (row[i / 64] >> (i % 64) & 1) != 0;
}

static uint64_t *
row_of(const struct search *s, uint64_t *rows, unsigned int i)
{
	return rows + (size_t)i * s->words;
}

static void
fill_rows(const struct search *s, uint64_t *rows, float below_ns)
{
	const struct lat_view *lat = s->lat;

	memset(rows, 0, (size_t)lat->n * s->words * sizeof(*rows));
	for (unsigned int a = 0; a < lat->n; a++) {
		uint64_t *row = row_of(s, rows, a);

		for (unsigned int b = 0; b < lat->n; b++) {
			float ns = lat_ns(lat, a, b);
			bool in = a == b || (ns > 0 && ns < below_ns);

			row[b / 64] |= (uint64_t)in << (b % 64);
		}
	}
}

/* Of the members that both know, more are neighbours of both than of one of them. */
static bool
alike(const struct search *s, unsigned int a, unsigned int b)
{
	const uint64_t *near_a = row_of(s, s->near, a);
	const uint64_t *near_b = row_of(s, s->near, b);
	const uint64_t *known_a = row_of(s, s->known, a);
	const uint64_t *known_b = row_of(s, s->known, b);
	unsigned int both = 0;
	unsigned int one = 0;

	for (unsigned int w = 0; w < s->words; w++) {
		uint64_t known = known_a[w] & known_b[w];

		both += (unsigned int)__builtin_popcountll(near_a[w] & near_b[w]);
		one += (unsigned int)__builtin_popcountll(
			(near_a[w] ^ near_b[w]) & known);
	}
	return both > one;
}

static struct partition
partition_below(struct search *s, float step_ns)
{
	struct partition p = partition_singles(s->lat->n);

	fill_rows(s, s->near, step_ns);
	for (unsigned int a = 0; a < p.n; a++) {
		for (unsigned int b = 0; b < a; b++) {
			if (has(row_of(s, s->near, a), b) && alike(s, a, b))
				partition_join(&p, a, b);
		}
	}
	partition_settle(&p);
	return p;
}

static bool
covers_enough(const struct partition *p)
{
	auto_free unsigned int *size = xcalloc(p->n, sizeof(*size));
	unsigned int n = 0;

	partition_sizes(p, size);
	for (unsigned int i = 0; i < p->n; i++)
		n += size[p->head[i]] > 1 ? 1 : 0;
	return (float)n >= COVER_MIN * (float)p->n;
}

/* The blocks are what lies below the step. */
static bool
explains(const struct search *s, const struct partition *p, float step_ns, float wrong_max)
{
	size_t inside = 0;
	size_t wrong = 0;

	for (unsigned int a = 0; a < p->n; a++) {
		for (unsigned int b = 0; b < a; b++) {
			float ns = lat_ns(s->lat, a, b);
			bool together = p->head[a] == p->head[b];

			if (!(ns > 0))
				continue;
			inside += together ? 1 : 0;
			wrong += together != (ns < step_ns) ? 1 : 0;
		}
	}
	return (float)wrong <= wrong_max * (float)inside;
}

static int
ascending(const void *a, const void *b)
{
	float x = *(const float *)a;
	float y = *(const float *)b;

	return x < y ? -1 : x > y;
}

/* One partition for each step, each coarser than the last. */
static void
find_candidates(struct search *s, const struct spread *all)
{
	float steps[STEPS_MAX];
	unsigned int n = spread_steps(all, steps, STEPS_MAX);

	qsort(steps, n, sizeof(*steps), ascending);
	for (unsigned int i = 0; i < n; i++) {
		struct cluster_tier new = {.step_ns = steps[i]};
		unsigned int before = s->lat->n;

		new.blocks = partition_below(s, steps[i]);
		if (s->n_tiers > 0) {
			before = s->tiers[s->n_tiers - 1].blocks.n_blocks;
			partition_join_all(
				&new.blocks, &s->tiers[s->n_tiers - 1].blocks);
		}
		if (new.blocks.n_blocks > 1 && new.blocks.n_blocks < before &&
			covers_enough(&new.blocks) &&
			explains(s, &new.blocks, steps[i], WRONG_ROUGH))
			s->tiers[s->n_tiers++] = new;
		else
			partition_fini(&new.blocks);
	}
}

/* The block size that most members are in; @sizes as of partition_sizes. 0: none is the
 * rule. */
static unsigned int
usual_size(const struct partition *p, const unsigned int *sizes)
{
	auto_free unsigned int *members = xcalloc(p->n + 1, sizeof(*members));
	unsigned int best = 0;

	for (unsigned int i = 0; i < p->n; i++)
		members[sizes[i]] += sizes[i];
	for (unsigned int size = 2; size <= p->n; size++)
		best = members[size] > members[best] ? size : best;
	return (float)members[best] >= REGULAR_MIN * (float)p->n ? best : 0;
}

/* A copy of @p in which blocks larger than usual are parted as in @finer. */
static struct partition
part_large(const struct partition *p, const struct partition *finer,
	const unsigned int *sizes, unsigned int usual)
{
	struct partition new = partition_copy(finer);

	for (unsigned int i = 0; i < p->n; i++) {
		if (sizes[p->head[i]] <= usual)
			partition_join(&new, i, p->head[i]);
	}
	partition_settle(&new);
	return new;
}

/*
 * Where nearly all blocks have one size, what is odd within a block @around and makes
 * exactly one block of that size is one: a wrong value or a missing one has parted it.
 */
static void
make_regular(struct partition *p, const struct partition *finer,
	const struct partition *around)
{
	auto_free unsigned int *sizes = xcalloc(p->n, sizeof(*sizes));
	auto_free unsigned int *odd = xcalloc(p->n, sizeof(*odd));
	auto_free unsigned int *first = xcalloc(p->n, sizeof(*first));
	unsigned int usual;
	struct partition new;

	partition_sizes(p, sizes);
	usual = usual_size(p, sizes);
	if (usual == 0)
		return;
	new = part_large(p, finer, sizes, usual);
	partition_sizes(&new, sizes);
	for (unsigned int i = p->n; i-- > 0;) {
		if (sizes[new.head[i]] == usual)
			continue;
		odd[around->head[i]]++;
		first[around->head[i]] = i;
	}
	for (unsigned int i = 0; i < p->n; i++) {
		unsigned int at = around->head[i];

		if (odd[at] != usual)
			partition_join(&new, i, p->head[i]); /* as it was */
		else if (sizes[new.head[i]] != usual)
			partition_join(&new, i, first[at]);
	}
	partition_settle(&new);
	free(p->head);
	p->head = new.head;
	p->n_blocks = new.n_blocks;
}

/*
 * What a step leaves over in a block @around is a block like the others when it is
 * about as large: told apart by being near to none of them.
 */
static void
join_left_over(struct partition *p, const struct partition *finer,
	const struct partition *around)
{
	auto_free unsigned int *sizes = xcalloc(p->n, sizeof(*sizes));
	auto_free unsigned int *before = xcalloc(p->n, sizeof(*before));
	auto_free unsigned int *left = xcalloc(p->n, sizeof(*left));
	auto_free unsigned int *grown = xcalloc(p->n, sizeof(*grown));
	auto_free unsigned int *n_grown = xcalloc(p->n, sizeof(*n_grown));

	partition_sizes(p, sizes);
	partition_sizes(finer, before);
	for (unsigned int i = 0; i < p->n; i++) {
		unsigned int at = around->head[i];

		if (sizes[p->head[i]] == before[finer->head[i]])
			left[at]++;
		else
			grown[at]++;
		if (p->head[i] == i && sizes[i] != before[i])
			n_grown[at]++;
	}
	for (unsigned int i = 0; i < p->n; i++) {
		unsigned int at = around->head[i];

		if (n_grown[at] == 0 || grown[at] < LEFT_BLOCK_MIN * n_grown[at] ||
			left[at] * n_grown[at] * 2 < grown[at] ||
			left[at] * n_grown[at] > grown[at] * 2 ||
			sizes[p->head[i]] != before[finer->head[i]])
			continue;
		for (unsigned int k = at; k < i; k++) {
			if (around->head[k] == at &&
				sizes[p->head[k]] == before[finer->head[k]])
				partition_join(p, i, k);
		}
	}
	partition_settle(p);
}

static void
remove_tier(struct search *s, unsigned int k)
{
	size_t after = s->n_tiers - k - 1;

	partition_fini(&s->tiers[k].blocks);
	memmove(&s->tiers[k], &s->tiers[k + 1], after * sizeof(*s->tiers));
	s->n_tiers--;
}

/* @coarse only adds blocks of the size that @fine has. */
static bool
completes(const struct partition *coarse, const struct partition *fine)
{
	auto_free unsigned int *sizes = xcalloc(fine->n, sizeof(*sizes));
	auto_free unsigned int *after = xcalloc(fine->n, sizeof(*after));
	unsigned int size = 0;

	partition_sizes(fine, sizes);
	partition_sizes(coarse, after);
	for (unsigned int i = 0; i < fine->n; i++) {
		unsigned int in_fine = sizes[fine->head[i]];
		unsigned int in_coarse = after[coarse->head[i]];

		if (in_fine > 1 && in_fine != in_coarse)
			return false;
		if (in_coarse > 1 && size > 0 && in_coarse != size)
			return false;
		size = in_coarse > 1 ? in_coarse : size;
	}
	return true;
}

/* Mend the candidates from coarse to fine and drop those that are still not good. */
static void
mend(struct search *s)
{
	struct partition singles = partition_singles(s->lat->n);
	struct partition whole = partition_whole(s->lat->n);

	for (unsigned int k = s->n_tiers; k-- > 0;) {
		struct partition *p = &s->tiers[k].blocks;
		const struct partition *finer =
			k > 0 ? &s->tiers[k - 1].blocks : &singles;
		const struct partition *around =
			k + 1 < s->n_tiers ? &s->tiers[k + 1].blocks : &whole;

		make_regular(p, finer, around);
		if (!explains(s, p, s->tiers[k].step_ns, WRONG_MAX) ||
			p->n_blocks <= around->n_blocks || completes(around, p)) {
			remove_tier(s, k);
			continue;
		}
	}
	partition_fini(&singles);
	partition_fini(&whole);
}

/* Pairs that are new at each tier; the last one's are those of the whole. */
static struct spread *
spread_tiers(const struct search *s)
{
	struct spread *out = xcalloc(s->n_tiers + 1, sizeof(*out));

	for (unsigned int a = 0; a < s->lat->n; a++) {
		for (unsigned int b = 0; b < a; b++) {
			float ns = lat_ns(s->lat, a, b);
			unsigned int k = 0;

			if (!(ns > 0))
				continue;
			while (k < s->n_tiers && s->tiers[k].blocks.head[a] !=
							 s->tiers[k].blocks.head[b])
				k++;
			spread_add(&out[k], ns);
		}
	}
	return out;
}

static void
drop_tier(struct search *s, struct spread *new_pairs, unsigned int k)
{
	size_t after = s->n_tiers - k - 1;

	spread_add_all(&new_pairs[k + 1], &new_pairs[k]);
	memmove(&new_pairs[k], &new_pairs[k + 1], (after + 1) * sizeof(*new_pairs));
	remove_tier(s, k);
}

/* Drop the tier with the smallest gap to the next, until all have a real one. */
static void
prune(struct search *s)
{
	auto_free struct spread *new_pairs = spread_tiers(s);

	for (;;) {
		unsigned int worst = 0;
		float least = 0;

		for (unsigned int k = 0; k < s->n_tiers; k++) {
			float gap = spread_quantile(&new_pairs[k + 1], 0.1f) /
				    spread_quantile(&new_pairs[k], 0.9f);

			if (k > 0 && gap >= least)
				continue;
			worst = k;
			least = gap;
		}
		if (s->n_tiers == 0 ||
			(least >= GAP_MIN && s->n_tiers <= CLUSTER_TIERS_MAX))
			return;
		drop_tier(s, new_pairs, worst);
	}
}

/* Complete the tiers that are left, from near to far. */
static void
use_left_over(struct search *s)
{
	struct partition singles = partition_singles(s->lat->n);
	struct partition whole = partition_whole(s->lat->n);

	for (unsigned int k = 0; k < s->n_tiers; k++)
		join_left_over(&s->tiers[k].blocks,
			k > 0 ? &s->tiers[k - 1].blocks : &singles,
			k + 1 < s->n_tiers ? &s->tiers[k + 1].blocks : &whole);
	partition_fini(&singles);
	partition_fini(&whole);
}

struct cluster
cluster_find(const struct lat_view *lat)
{
	struct search s = {.lat = lat, .words = (lat->n + 63) / 64};
	struct spread all = {0};
	struct cluster c = {0};
	size_t size = (size_t)lat->n * s.words;

	for (unsigned int a = 0; a < lat->n; a++) {
		for (unsigned int b = 0; b < a; b++) {
			if (lat_ns(lat, a, b) > 0)
				spread_add(&all, lat_ns(lat, a, b));
		}
	}
	s.known = xcalloc(size, sizeof(*s.known));
	s.near = xcalloc(size, sizeof(*s.near));
	fill_rows(&s, s.known, INFINITY);
	find_candidates(&s, &all);
	mend(&s);
	prune(&s);
	use_left_over(&s);
	c.n_tiers = s.n_tiers;
	memcpy(c.tiers, s.tiers, c.n_tiers * sizeof(*c.tiers));
	free(s.known);
	free(s.near);
	return c;
}

void
cluster_fini(struct cluster *c)
{
	for (unsigned int k = 0; k < c->n_tiers; k++)
		partition_fini(&c->tiers[k].blocks);
	*c = (struct cluster){0};
}
