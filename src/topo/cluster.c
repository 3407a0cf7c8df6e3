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

/* Pairs that may contradict a partition, as a share of the pairs inside its blocks:
 * before it is mended, and between blocks afterwards. */
#define WRONG_ROUGH 0.5f
#define WRONG_MAX 0.3f

/* Share of the members that a tier has to say something about: less is chance. */
#define COVER_MIN 0.25f

/* From nine tenths of the pairs of a tier to nine tenths of those beyond: latencies of
 * one class spread about as much as this. */
#define GAP_MIN 1.15f

/* Members in blocks of one look that make it a rule, and that make it the rule for
 * whoever is left without further signs. */
#define REGULAR_MIN 0.5f
#define REGULAR_MOST 0.8f
#define PATTERNS_TRIED 8u

/* Further signs: nearer than the usual pair by this. */
#define NEARER_MAX 0.8f

/* Blocks that what is left over is compared with have at least so many members: two
 * threads of a core say nothing about cores of one. */
#define LEFT_BLOCK_MIN 4u

struct pair {
	unsigned int a;
	unsigned int b;
};

struct count {
	uint32_t near;
	uint32_t known;
};

struct search {
	const struct lat_view *lat;
	unsigned int words;	/* of a row of bits */
	uint64_t *known;	/* n rows; a member knows itself */
	uint64_t *near;		/* n rows: known and below the step, and itself */
	struct count *counts;	/* n x n, between blocks by their heads */
	struct pair *pairs;	/* room for all */
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

/* Pairs below the step, the nearest first as far as the bins tell. Returns how many. */
static size_t
sort_near(struct search *s)
{
	auto_free size_t *at = xcalloc(SPREAD_BINS + 1, sizeof(*at));
	unsigned int n = s->lat->n;

	for (int pass = 0; pass < 2; pass++) {
		for (unsigned int a = 0; a < n; a++) {
			for (unsigned int b = 0; b < a; b++) {
				unsigned int bin;

				if (!has(row_of(s, s->near, a), b))
					continue;
				bin = spread_bin(lat_ns(s->lat, a, b));
				if (pass == 0)
					at[bin + 1]++;
				else
					s->pairs[at[bin]++] = (struct pair){a, b};
			}
		}
		for (unsigned int i = 0; i < SPREAD_BINS && pass == 0; i++)
			at[i + 1] += at[i];
	}
	return at[SPREAD_BINS - 1];
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

/* What most blocks look like: their members, counted from the lowest. */
struct pattern {
	unsigned int n;
	unsigned int *offsets;
	float share; /* of all members that are in such a block */
};

/* The block of @head has its members where the pattern has them. */
static bool
matches(const struct partition *p, const unsigned int *sizes, unsigned int head,
	const struct pattern *q)
{
	if (sizes[head] != q->n)
		return false;
	for (unsigned int k = 0; k < q->n; k++) {
		unsigned int i = head + q->offsets[k];

		if (i >= p->n || p->head[i] != head)
			return false;
	}
	return true;
}

static void
read_pattern(const struct partition *p, unsigned int head, struct pattern *q)
{
	q->n = 0;
	for (unsigned int i = head; i < p->n; i++) {
		if (p->head[i] == head)
			q->offsets[q->n++] = i - head;
	}
}

/* The pattern that most members follow, of blocks that are new at this step. Tried for
 * the first ones only: where those say nothing, nothing is the rule. Free q->offsets. */
static struct pattern
find_pattern(const struct partition *p, const struct partition *finer,
	const unsigned int *sizes)
{
	auto_free unsigned int *before = xcalloc(p->n, sizeof(*before));
	struct pattern best = {0};
	unsigned int tried = 0;

	partition_sizes(finer, before);
	for (unsigned int h = 0; h < p->n && tried < PATTERNS_TRIED; h++) {
		struct pattern q = {.offsets = NULL};
		unsigned int members = 0;

		if (p->head[h] != h || sizes[h] == before[h])
			continue;
		tried++;
		q.offsets = xcalloc(sizes[h], sizeof(*q.offsets));
		read_pattern(p, h, &q);
		for (unsigned int i = 0; i < p->n; i++) {
			if (p->head[i] == i && matches(p, sizes, i, &q))
				members += q.n;
		}
		q.share = (float)members / (float)p->n;
		if (q.share > best.share) {
			free(best.offsets);
			best = q;
		} else {
			free(q.offsets);
		}
	}
	return best;
}

/* What a member sees of the others in its block @around. */
static float
typical_ns(const struct search *s, const struct partition *around, unsigned int i)
{
	struct spread seen = {0};

	for (unsigned int k = 0; k < around->n; k++) {
		if (around->head[k] == around->head[i] && lat_ns(s->lat, i, k) > 0)
			spread_add(&seen, lat_ns(s->lat, i, k));
	}
	return spread_quantile(&seen, 0.5f);
}

struct mending {
	const struct search *s;
	const struct partition *around;
	struct pattern pattern;
	bool *done; /* of each member: in a block that follows the pattern */
};

/* The members at the pattern's places from @first are free and together in a block
 * around. */
static bool
is_free(const struct mending *m, unsigned int first)
{
	for (unsigned int k = 0; k < m->pattern.n; k++) {
		unsigned int i = first + m->pattern.offsets[k];

		if (i >= m->around->n || m->done[i] ||
			m->around->head[i] != m->around->head[first])
			return false;
	}
	return true;
}

/* The farthest that is known of the pairs with @first; 0: none is. */
static float
farthest_ns(const struct mending *m, unsigned int first)
{
	float ns = 0;

	for (unsigned int k = 1; k < m->pattern.n; k++)
		ns = fmaxf(ns, lat_ns(m->s->lat, first, first + m->pattern.offsets[k]));
	return ns;
}

/* How much of the rule the members follow of which anything is known. */
static float
measure_rule(const struct mending *m)
{
	unsigned int n = 0;
	unsigned int known = 0;

	for (unsigned int i = 0; i < m->around->n; i++) {
		if (!m->done[i] && is_free(m, i) && farthest_ns(m, i) <= 0)
			continue;
		n += m->done[i] ? 1 : 0;
		known++;
	}
	return known > 0 ? (float)n / (float)known : 0;
}

/* What there could be another block of. Where the rule is not so clear, it also has to
 * be nearer than what is usual. */
static bool
fits(const struct mending *m, unsigned int first)
{
	if (!is_free(m, first))
		return false;
	return m->pattern.share >= REGULAR_MOST ||
	       farthest_ns(m, first) <=
		       NEARER_MAX * typical_ns(m->s, m->around, first);
}

static void
join_pattern(struct mending *m, struct partition *p, unsigned int first)
{
	for (unsigned int k = 0; k < m->pattern.n; k++) {
		m->done[first + m->pattern.offsets[k]] = true;
		partition_join(p, first, first + m->pattern.offsets[k]);
	}
}

/* The blocks of @p that follow the pattern. */
static void
take_regular(struct mending *m, struct partition *new, const struct partition *p)
{
	auto_free unsigned int *sizes = xcalloc(p->n, sizeof(*sizes));

	partition_sizes(p, sizes);
	for (unsigned int i = 0; i < p->n; i++) {
		if (p->head[i] == i && !m->done[i] &&
			matches(p, sizes, i, &m->pattern))
			join_pattern(m, new, i);
	}
}

/* Twice: what was found in the first round may make the rule clear. */
static void
add_regular(struct mending *m, struct partition *new)
{
	for (int round = 0; round < 2; round++) {
		m->pattern.share = measure_rule(m);
		for (unsigned int i = 0; i < new->n; i++) {
			if (fits(m, i))
				join_pattern(m, new, i);
		}
	}
}

/* Blocks none of whose members were used otherwise stay as they were. */
static void
keep_others(const struct mending *m, struct partition *new, const struct partition *p)
{
	auto_free bool *used = xcalloc(p->n, sizeof(*used));

	for (unsigned int i = 0; i < p->n; i++)
		used[p->head[i]] |= m->done[i];
	for (unsigned int i = 0; i < p->n; i++) {
		if (!used[p->head[i]])
			partition_join(new, i, p->head[i]);
	}
}

/*
 * Where most blocks look the same, members that are left and would make another such
 * block are one: a wrong value or a missing one has parted it. Hosts are numbered
 * regularly.
 */
static void
make_regular(const struct search *s, struct partition *p, const struct partition *finer,
	const struct partition *around)
{
	auto_free unsigned int *sizes = xcalloc(p->n, sizeof(*sizes));
	auto_free bool *done = xcalloc(p->n, sizeof(*done));
	struct mending m = {.s = s, .around = around, .done = done};
	struct partition new;

	partition_sizes(p, sizes);
	m.pattern = find_pattern(p, finer, sizes);
	if (m.pattern.share >= REGULAR_MIN && m.pattern.share < 1) {
		new = partition_copy(finer);
		take_regular(&m, &new, p);
		take_regular(&m, &new, finer);
		add_regular(&m, &new);
		keep_others(&m, &new, p);
		partition_settle(&new);
		partition_fini(p);
		*p = new;
	}
	free(m.pattern.offsets);
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

		make_regular(s, p, finer, around);
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
	s.counts = xcalloc((size_t)lat->n * lat->n, sizeof(*s.counts));
	s.pairs = xcalloc(matrix_pairs(lat->n), sizeof(*s.pairs));
	fill_rows(&s, s.known, INFINITY);
	find_candidates(&s, &all);
	prune(&s); /* so that mending looks at real blocks around */
	mend(&s);
	prune(&s);
	use_left_over(&s);
	c.n_tiers = s.n_tiers;
	memcpy(c.tiers, s.tiers, c.n_tiers * sizeof(*c.tiers));
	free(s.known);
	free(s.near);
	free(s.counts);
	free(s.pairs);
	return c;
}

void
cluster_fini(struct cluster *c)
{
	for (unsigned int k = 0; k < c->n_tiers; k++)
		partition_fini(&c->tiers[k].blocks);
	*c = (struct cluster){0};
}
