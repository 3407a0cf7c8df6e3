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
#include "topo/regular.h"
#include "topo/spread.h"

#define STEPS_MAX 16u

/* Pairs that may contradict a partition, as a share of the pairs inside its blocks:
 * before it is mended, and between blocks afterwards. */
#define WRONG_ROUGH 0.5f
#define WRONG_MAX 0.3f

/* Share of the members that a tier has to say something about: less is chance. */
#define COVER_MIN 0.25f

/* From nine tenths of the pairs of a tier to nine tenths of those beyond: latencies of
 * one class spread about as much as this. */
#define GAP_MIN 1.15f

struct pair {
	unsigned int a;
	unsigned int b;
};

struct count {
	uint32_t near;
	uint32_t known;
};

struct value {
	size_t cell; /* two units, the higher one first */
	float ns;
};

struct search {
	const struct lat_view *lat;
	unsigned int words;   /* of a row of bits */
	uint64_t *known;      /* n rows; a member knows itself */
	uint64_t *near;	      /* n rows: known and below the step, and itself */
	struct count *counts; /* n x n, between blocks by their heads */
	struct pair *pairs;   /* room for all */
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

/* Pairs below the step in the order of their numbers. Returns how many. */
static size_t
list_near(const struct search *s, struct pair *out)
{
	size_t n = 0;

	for (unsigned int a = 0; a < s->lat->n; a++) {
		for (unsigned int b = 0; b < a; b++) {
			if (has(row_of(s, s->near, a), b))
				out[n++] = (struct pair){a, b};
		}
	}
	return n;
}

/* The same, the nearest first as far as bins tell. */
static size_t
sort_near(struct search *s)
{
	auto_free size_t *at = xcalloc(SPREAD_BINS + 1, sizeof(*at));
	auto_free struct pair *list = xcalloc(matrix_pairs(s->lat->n), sizeof(*list));
	size_t n = list_near(s, list);

	for (size_t i = 0; i < n; i++)
		at[spread_bin(lat_ns(s->lat, list[i].a, list[i].b)) + 1]++;
	for (unsigned int i = 0; i < SPREAD_BINS; i++)
		at[i + 1] += at[i];
	for (size_t i = 0; i < n; i++) {
		unsigned int bin = spread_bin(lat_ns(s->lat, list[i].a, list[i].b));

		s->pairs[at[bin]++] = list[i];
	}
	return n;
}

/* Pairs between single members: how many are near and how many are known. */
static void
count_pairs(struct search *s)
{
	unsigned int n = s->lat->n;

	for (unsigned int a = 0; a < n; a++) {
		for (unsigned int b = 0; b < n; b++)
			s->counts[(size_t)a * n + b] = (struct count){
				.near = has(row_of(s, s->near, a), b),
				.known = has(row_of(s, s->known, a), b),
			};
	}
}

/* Most known pairs between the blocks of two heads are near. */
static bool
mostly_near(const struct search *s, unsigned int a, unsigned int b)
{
	const struct count *c = &s->counts[(size_t)a * s->lat->n + b];

	return 2 * c->near > c->known;
}

/* The counts of two blocks that become one. */
static void
add_counts(struct search *s, unsigned int to, unsigned int from)
{
	unsigned int n = s->lat->n;

	for (unsigned int i = 0; i < n; i++) {
		struct count *c = &s->counts[(size_t)to * n + i];

		c->near += s->counts[(size_t)from * n + i].near;
		c->known += s->counts[(size_t)from * n + i].known;
		s->counts[(size_t)i * n + to] = *c;
	}
}

static struct partition
partition_below(struct search *s, float step_ns)
{
	struct partition p = partition_singles(s->lat->n);
	size_t n;

	fill_rows(s, s->near, step_ns);
	count_pairs(s);
	n = sort_near(s);
	for (size_t i = 0; i < n; i++) {
		unsigned int a = partition_head(&p, s->pairs[i].a);
		unsigned int b = partition_head(&p, s->pairs[i].b);

		if (a == b || !mostly_near(s, a, b) ||
			!alike(s, s->pairs[i].a, s->pairs[i].b))
			continue;
		partition_join(&p, a, b);
		add_counts(s, a < b ? a : b, a < b ? b : a);
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

/* Pairs that contradict a partition, as a share of those inside its blocks: near ones
 * between blocks and, @inside_too, far ones inside. */
static float
wrong_share(const struct search *s, const struct partition *p, float step_ns,
	bool inside_too)
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
			wrong += together ? inside_too && ns >= step_ns : ns < step_ns;
		}
	}
	return (float)wrong / (float)(inside > 0 ? inside : 1);
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
			wrong_share(s, &new.blocks, steps[i], true) <= WRONG_ROUGH)
			s->tiers[s->n_tiers++] = new;
		else
			partition_fini(&new.blocks);
	}
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

		regular_mend(p, finer, around, s->lat);
		if (wrong_share(s, p, s->tiers[k].step_ns, false) > WRONG_MAX ||
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
		regular_join_left(&s->tiers[k].blocks,
			k > 0 ? &s->tiers[k - 1].blocks : &singles,
			k + 1 < s->n_tiers ? &s->tiers[k + 1].blocks : &whole);
	partition_fini(&singles);
	partition_fini(&whole);
}

static void
search_init(struct search *s, const struct lat_view *lat)
{
	size_t n = lat->n;

	*s = (struct search){.lat = lat, .words = (lat->n + 63) / 64};
	s->known = xcalloc(n * s->words, sizeof(*s->known));
	s->near = xcalloc(n * s->words, sizeof(*s->near));
	s->counts = xcalloc(n * n, sizeof(*s->counts));
	s->pairs = xcalloc(matrix_pairs(lat->n), sizeof(*s->pairs));
	fill_rows(s, s->known, INFINITY);
}

/* The tiers that are left are given to @c. */
static void
search_fini(struct search *s, struct cluster *c)
{
	c->n_tiers = s->n_tiers;
	memcpy(c->tiers, s->tiers, s->n_tiers * sizeof(*c->tiers));
	free(s->known);
	free(s->near);
	free(s->counts);
	free(s->pairs);
}

struct cluster
cluster_find(const struct lat_view *lat)
{
	auto_free struct spread *all = xcalloc(1, sizeof(*all));
	struct cluster c = {0};
	struct search s;

	if (lat->n < 2)
		return c;
	search_init(&s, lat);
	for (unsigned int a = 0; a < lat->n; a++) {
		for (unsigned int b = 0; b < a; b++) {
			if (lat_ns(lat, a, b) > 0)
				spread_add(all, lat_ns(lat, a, b));
		}
	}
	c.known = (float)all->n / (float)matrix_pairs(lat->n);
	find_candidates(&s, all);
	prune(&s); /* so that mending looks at real blocks around */
	mend(&s);
	prune(&s);
	use_left_over(&s);
	search_fini(&s, &c);
	return c;
}

/* The blocks of a partition in order, and the members of each. */
struct units {
	unsigned int n;
	unsigned int *of;    /* of each member */
	unsigned int *first; /* member of each */
};

static struct units
number_units(const struct partition *p)
{
	struct units u = {0};

	u.of = xcalloc(p->n, sizeof(*u.of));
	u.first = xcalloc(p->n_blocks, sizeof(*u.first));
	for (unsigned int i = 0; i < p->n; i++) {
		if (p->head[i] == i)
			u.first[u.n++] = i;
		u.of[i] = p->head[i] == i ? u.n - 1 : u.of[p->head[i]];
	}
	return u;
}

static int
by_value(const void *a, const void *b)
{
	const struct value *x = a;
	const struct value *y = b;

	if (x->cell != y->cell)
		return x->cell < y->cell ? -1 : 1;
	return x->ns < y->ns ? -1 : x->ns > y->ns;
}

/* The median of what is known between two units; few pairs are known, or there would be
 * no need. */
static float *
collapse(const struct lat_view *lat, const struct units *u)
{
	float *out = xcalloc((size_t)u->n * u->n, sizeof(*out));
	struct value *values = NULL;
	size_t cap = 0;
	size_t n = 0;

	for (unsigned int a = 0; a < lat->n; a++) {
		for (unsigned int b = 0; b < a; b++) {
			unsigned int x = u->of[a];
			unsigned int y = u->of[b];

			if (x == y || !(lat_ns(lat, a, b) > 0))
				continue;
			values = xgrow(values, n, &cap, sizeof(*values));
			values[n++] = (struct value){
				x > y ? (size_t)x * u->n + y : (size_t)y * u->n + x,
				lat_ns(lat, a, b)};
		}
	}
	if (n > 0)
		qsort(values, n, sizeof(*values), by_value);
	for (size_t i = 0, end; i < n; i = end) {
		size_t cell = values[i].cell;

		for (end = i; end < n && values[end].cell == cell;)
			end++;
		out[cell] = values[i + (end - i - 1) / 2].ns;
		/* NOLINTNEXTLINE(clang-analyzer-core.DivideZero): it has rows */
		out[cell % u->n * u->n + cell / u->n] = out[cell];
	}
	free(values);
	return out;
}

struct cluster
cluster_find_between(const struct lat_view *lat, const struct partition *p)
{
	struct units u;
	struct cluster c;
	float *ns;

	if (p->n_blocks == p->n)
		return cluster_find(lat);
	u = number_units(p);
	ns = collapse(lat, &u);
	c = cluster_find(&(struct lat_view){ns, u.n});
	for (unsigned int k = 0; k < c.n_tiers; k++) {
		struct partition *units = &c.tiers[k].blocks;
		struct partition whole = partition_copy(p);

		for (unsigned int i = 0; i < p->n; i++)
			partition_join(&whole, i, u.first[units->head[u.of[i]]]);
		partition_settle(&whole);
		partition_fini(units);
		*units = whole;
	}
	free(ns);
	free(u.of);
	free(u.first);
	return c;
}

void
cluster_fini(struct cluster *c)
{
	for (unsigned int k = 0; k < c->n_tiers; k++)
		partition_fini(&c->tiers[k].blocks);
	*c = (struct cluster){0};
}
