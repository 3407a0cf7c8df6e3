// SPDX-License-Identifier: MIT
/*
 * The rounds: one pair of each block; another one; both once more, which tells how much
 * visits differ by themselves. From then on new pairs until each block has as many as
 * it wants, and of blocks whose pairs disagree all, some at a time; when there are no
 * new ones, the pairs with the fewest visits once more, near ones first.
 */
#include "config.h"

#include "probe/round.h"

#include <stdlib.h>

#include "base/xalloc.h"
#include "probe/infer.h"

/* Pairs that differ by more than this (see infer_judge) are not of one piece. Zen's L3
 * groups and links differ by 0.01 to 0.03 inside, meshes by 0.04 to 0.11. */
#define DISAGREEMENT_MAX 0.035f
/* The round in which the first pairs are visited a second time. */
#define AGAIN_ROUND 3u
/* Candidates for a block's next pair, of which the least loaded is taken. */
#define CANDIDATES 8u
/* All pairs are candidates in blocks of so few. */
#define CANDIDATES_ALL 64u
/* Pairs by which a block that disagrees grows in a round, at the least. */
#define DETAILS_MIN 8u
/* Next to the CPUs' load: as if an avoided CPU had had so many visits. */
#define AVOID_LOAD 100000u

static uint32_t
scatter(uint32_t x)
{
	x = (x ^ x >> 16) * 0x7feb352du;
	x = (x ^ x >> 15) * 0x846ca68bu;
	return x ^ x >> 16;
}

/* Blocks that have pairs, so that after any part of it each class had its turns;
 * scattered inside a class. */
static void
build_order(struct round *r)
{
	const struct blocks *b = r->blocks;
	unsigned int *of_class = xcalloc(b->n, sizeof(*of_class));
	unsigned int **lists = xcalloc(b->n_classes, sizeof(*lists));
	unsigned int *n = xcalloc(b->n_classes, sizeof(*n));
	unsigned int most = 0;
	unsigned int at = 0;

	for (unsigned int c = 0; c < b->n_classes; c++) {
		lists[c] = &of_class[at];
		for (unsigned int i = 0; i < b->n; i++)
			if (b->items[i].total > 0 && b->items[i].class == c)
				lists[c][n[c]++] = i;
		for (unsigned int i = n[c]; i > 1; i--) {
			unsigned int k = scatter(i + c) % i;
			unsigned int other = lists[c][k];

			lists[c][k] = lists[c][i - 1];
			lists[c][i - 1] = other;
		}
		at += n[c];
		most = n[c] > most ? n[c] : most;
	}
	r->order = xcalloc(b->n, sizeof(*r->order));
	for (unsigned int i = 0; i < most; i++)
		for (unsigned int c = 0; c < b->n_classes; c++)
			if (i < n[c])
				r->order[r->n_order++] = lists[c][i];
	free(n);
	free(lists);
	free(of_class);
}

void
round_init(struct round *r, struct blocks *blocks, struct pairs *pairs)
{
	*r = (struct round){.blocks = blocks, .pairs = pairs};
	r->load = xcalloc(blocks->n_rows, sizeof(*r->load));
	build_order(r);
}

void
round_fini(struct round *r)
{
	free(r->order);
	free(r->load);
	free(r->list);
	*r = (struct round){0};
}

static void
queue(struct round *r, uint32_t index)
{
	struct belief *b = &r->pairs->items[index];

	b->queued = true;
	r->load[b->a]++;
	r->load[b->b]++;
	r->list = xgrow(r->list, r->n, &r->cap, sizeof(*r->list));
	r->list[r->n++] = index;
}

/* The thread of a core that is to be visited, and what that costs. */
static uint32_t
least_loaded(const struct round *r, const struct cpuset *avoid, const uint16_t *rows,
	unsigned int n, unsigned int *row)
{
	uint32_t least = UINT32_MAX;

	for (unsigned int i = 0; i < n; i++) {
		uint32_t load = r->load[rows[i]];

		if (cpuset_has(avoid, r->blocks->cpus[rows[i]]))
			load += AVOID_LOAD;
		if (load >= least)
			continue;
		least = load;
		*row = rows[i];
	}
	return least;
}

/* Take the pair @i of the block: false when there is none or it has been taken. */
static bool
rate(const struct round *r, const struct block *block, uint32_t i,
	const struct cpuset *avoid, struct belief *out, uint32_t *load)
{
	struct blocks_pair pair;
	unsigned int a = 0;
	unsigned int b = 0;

	if (!blocks_pair(r->blocks, block, i, &pair) ||
		infer_find(r->pairs, &pair) != NULL)
		return false;
	*load = least_loaded(r, avoid, pair.a, pair.left_a, &a) +
		least_loaded(r, avoid, pair.b, pair.left_b, &b);
	out->a = (uint16_t)a;
	out->b = (uint16_t)b;
	return true;
}

static void
take(struct round *r, struct block *block, const struct belief *pair)
{
	uint32_t index = pairs_add(r->pairs, pair->a, pair->b);

	r->pairs->items[index].next = block->first;
	block->first = index;
	block->tried++;
	queue(r, index);
}

/* Where to look for the block's next pair: scattered, every other one inside a group of
 * members with neighbouring numbers, as hidden clusters have them. */
static uint32_t
candidate(const struct block *block, uint32_t salt)
{
	uint32_t near = block->places;

	if (block->a == block->b && !block->siblings && block->tried % 2 == 1 &&
		block->wanted > 3)
		near = 2 * block->wanted;
	if (near > block->places)
		near = block->places;
	return scatter(salt * 0x9e3779b9u + block->a * 2048 + block->b) % near;
}

/* A pair of the block that has not been visited, of CPUs that had few visits. */
static bool
take_sample(struct round *r, struct block *block, const struct cpuset *avoid)
{
	struct belief best = {0};
	uint32_t least = UINT32_MAX;
	uint32_t first = 0;
	bool all = block->places <= CANDIDATES_ALL;

	for (uint32_t k = 0; k < (all ? block->places : CANDIDATES); k++) {
		struct belief pair;
		uint32_t load;

		if (k == 0 || !all)
			first = candidate(block, block->tried * CANDIDATES + k);
		if (!rate(r, block, (first + (all ? k : 0)) % block->places, avoid,
			    &pair, &load) ||
			load >= least)
			continue;
		least = load;
		best = pair;
	}
	/* nearly all taken already */
	for (uint32_t i = 0; least == UINT32_MAX && i < block->places; i++)
		(void)rate(r, block, (first + i) % block->places, avoid, &best, &least);
	if (least == UINT32_MAX)
		return false;
	take(r, block, &best);
	return true;
}

/* How many pairs the block should have by now. Those that yield nothing are replaced,
 * but not for ever. */
static uint32_t
quota(const struct round *r, const struct block *block)
{
	uint32_t n = block->wanted;
	uint32_t hopeless = block->hopeless;

	if (r->number == 1)
		n = 1;
	else if (r->number < AGAIN_ROUND)
		n = n / 4 > 2 ? n / 4 : 2;
	else if (r->number == AGAIN_ROUND + 1)
		n = n - n / 4;
	if (n > block->wanted)
		n = block->wanted;
	n += hopeless < 2 * block->wanted ? hopeless : 2 * block->wanted;
	return n < block->total ? n : block->total;
}

static void
add_samples(struct round *r, const struct cpuset *avoid)
{
	for (unsigned int i = 0; i < r->n_order; i++) {
		struct block *block = &r->blocks->items[r->order[i]];

		while (block->tried < quota(r, block))
			if (!take_sample(r, block, avoid)) {
				block->wanted = block->tried; /* there are no more */
				break;
			}
	}
}

static int
worst_first(const void *a, const void *b)
{
	const struct block *x = *(struct block *const *)a;
	const struct block *y = *(struct block *const *)b;

	if (x->disagreement != y->disagreement)
		return x->disagreement < y->disagreement ? 1 : -1;
	return (x > y) - (x < y);
}

/* Some more pairs of the block: as many as let each of its members have one. */
static void
add_details(struct round *r, struct block *block, const struct cpuset *avoid)
{
	uint32_t left =
		2 * block->wanted > DETAILS_MIN ? 2 * block->wanted : DETAILS_MIN;

	while (left > 0 && block->cursor < block->places) {
		struct belief pair;
		uint32_t load;

		if (!rate(r, block, block->cursor++, avoid, &pair, &load))
			continue;
		take(r, block, &pair);
		left--;
	}
}

static void
refine(struct round *r, const struct cpuset *avoid)
{
	struct block **worst = xcalloc(r->n_order, sizeof(*worst));
	size_t before = r->n;
	unsigned int n = 0;

	for (unsigned int i = 0; i < r->n_order; i++) {
		struct block *block = &r->blocks->items[r->order[i]];

		if (block->detail && block->cursor < block->places)
			worst[n++] = block;
	}
	qsort(worst, n, sizeof(struct block *), worst_first);
	for (unsigned int i = 0; i < n; i++)
		add_details(r, worst[i], avoid);
	r->refining = r->n > before;
	free(worst);
}

struct visit {
	float ns;
	uint32_t index;
};

static int
nearest_first(const void *a, const void *b)
{
	const struct visit *x = a;
	const struct visit *y = b;

	if (x->ns != y->ns)
		return x->ns > y->ns ? 1 : -1;
	return (x->index > y->index) - (x->index < y->index);
}

/* Those with the fewest visits once more. */
static void
revisit(struct round *r)
{
	struct visit *again = xcalloc(r->pairs->n, sizeof(*again));
	unsigned int fewest = UINT32_MAX;
	size_t n = 0;

	for (size_t i = 0; i < r->pairs->n; i++) {
		const struct belief *b = &r->pairs->items[i];

		unsigned int visits = b->results + b->failures;

		if (b->queued || !belief_wants(b) || visits > fewest ||
			r->blocks->rows[b->a].gone || r->blocks->rows[b->b].gone)
			continue;
		if (visits < fewest)
			n = 0;
		fewest = visits;
		again[n++] = (struct visit){belief_ns(b), (uint32_t)i};
	}
	qsort(again, n, sizeof(*again), nearest_first);
	for (size_t i = 0; i < n; i++)
		queue(r, again[i].index);
	free(again);
}

/* A block that has been judged is judged again when it has had a quarter more visits:
 * all rounds together so cost no more than a few looks at each pair. */
static void
judge(struct round *r)
{
	float noise = infer_noise(r->pairs);

	for (unsigned int i = 0; i < r->n_order; i++) {
		struct block *block = &r->blocks->items[r->order[i]];

		if (block->visits > block->judged_at + block->judged_at / 4)
			infer_judge(block, r->pairs, noise);
		block->detail =
			r->blocks->by_cpu || block->disagreement > DISAGREEMENT_MAX;
	}
}

bool
round_add(struct round *r, const struct cpuset *avoid)
{
	size_t before = r->n;

	do {
		r->number++;
		r->refining = false;
		if (r->number != AGAIN_ROUND)
			add_samples(r, avoid);
		if (r->number > AGAIN_ROUND) {
			judge(r);
			refine(r, avoid);
		}
		if (r->n == before && r->number >= AGAIN_ROUND)
			revisit(r);
	} while (r->n == before && r->number <= AGAIN_ROUND + 2);
	return r->n > before;
}

size_t
round_pairs_total(const struct round *r)
{
	size_t n = 0;

	for (unsigned int i = 0; i < r->n_order; i++) {
		const struct block *block = &r->blocks->items[r->order[i]];
		uint32_t pairs = block->detail ? block->total : block->wanted;

		n += pairs > block->tried ? pairs : block->tried;
	}
	return n;
}
