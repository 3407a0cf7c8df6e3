// SPDX-License-Identifier: MIT
/*
 * Medians of blocks and classes, how far a block is of one piece, and the matrix filled
 * up from that. Everything is relative: hosts of 5 and of 500 ns are treated alike.
 */
#include "config.h"

#include "probe/infer.h"

#include <math.h>
#include <stdlib.h>

#include "base/xalloc.h"

/* Of a large block so many pairs, evenly, tell as much as all of them. */
#define SAMPLE_MAX 1024u
#define MANY 12u
/* Half the distance from the fifth to the last but a fifth of a normal distribution,
 * and the median of the distance of two of its values, in standard deviations. */
#define FIFTHS_PER_SD 0.84f
#define PAIR_PER_SD 0.954f
/* A single pair much nearer than the median also tells, but the least of many is low by
 * chance: that distance counts so much. */
#define LEAST_WORTH 0.33f

/* What a core's pairs say about its other pairs is taken for as much as if so many more
 * had said nothing; pairs farther off than this say something else. */
#define EFFECT_DOUBT 2.0f
#define EFFECT_MAX 0.5f

/* Confidence of values nobody measured, at best. Measured ones have up to 100. */
#define CONFIDENCE_SIBLINGS 0.9f /* of what the cores' other threads have */
#define CONFIDENCE_BLOCK 70.0f
#define CONFIDENCE_CLASS 20.0f
/* Half of it is left where pairs of a block differ by so much. */
#define DISAGREEMENT_HALF 0.05f

static int
by_value(const void *a, const void *b)
{
	float x = *(const float *)a;
	float y = *(const float *)b;

	return (x > y) - (x < y);
}

float
infer_noise(const struct pairs *p)
{
	float apart[SAMPLE_MAX];
	unsigned int n = 0;
	size_t step = p->n / SAMPLE_MAX + 1;

	for (size_t i = 0; i < p->n; i += step) {
		const struct belief *b = &p->items[i];

		if (b->results < 2)
			continue;
		apart[n++] = (b->ns[1] - b->ns[0]) / b->ns[0];
	}
	if (n == 0)
		return 0;
	qsort(apart, n, sizeof(apart[0]), by_value);
	return apart[n / 2] / PAIR_PER_SD;
}

/* The values of up to SAMPLE_MAX pairs that had so many visits, sorted. */
static unsigned int
block_values(const struct block *block, const struct pairs *p, unsigned int visits,
	float *values)
{
	unsigned int step = block->tried / SAMPLE_MAX + 1;
	unsigned int n = 0;
	unsigned int at = 0;

	for (uint32_t i = block->first; i != BELIEF_NONE; i = p->items[i].next) {
		const struct belief *b = &p->items[i];

		if (b->results >= visits && at++ % step == 0 && n < SAMPLE_MAX)
			values[n++] = belief_ns(b);
	}
	qsort(values, n, sizeof(*values), by_value);
	return n;
}

static float
quantile(const float *values, unsigned int n, float share)
{
	float at = share * (float)(n - 1);
	unsigned int i = (unsigned int)at;

	if (i + 1 >= n)
		return values[n - 1];
	return values[i] + (at - (float)i) * (values[i + 1] - values[i]);
}

/* Relative, of sorted values; what visits differ by themselves is taken off. */
static float
disagreement(const float *values, unsigned int n, float noise)
{
	float by_chance = FIFTHS_PER_SD * noise;
	float middle = quantile(values, n, 0.5f);
	float apart = (quantile(values, n, 0.8f) - quantile(values, n, 0.2f)) / 2;

	apart = fmaxf(apart, LEAST_WORTH * (middle - values[0])) / middle;
	if (apart <= by_chance)
		return 0;
	return sqrtf(apart * apart - by_chance * by_chance);
}

void
infer_judge(struct block *block, const struct pairs *p, float noise)
{
	float values[SAMPLE_MAX];
	unsigned int n = block_values(block, p, 1, values);

	block->judged_at = block->visits;
	block->n_measured = n;
	block->ns = n == 0 ? 0 : values[(n - 1) / 2];
	/* A single visit may be far too high by chance: many of them still tell. */
	if (n < MANY)
		n = block_values(block, p, 2, values);
	block->disagreement = n < 3 ? 0 : disagreement(values, n, noise);
}

struct belief *
infer_find(const struct pairs *p, const struct blocks_pair *pair)
{
	struct belief *best = NULL;

	for (unsigned int i = 0; i < pair->n_a; i++) {
		for (unsigned int k = 0; k < pair->n_b; k++) {
			struct belief *b = pairs_find(p, pair->a[i], pair->b[k]);

			if (b != NULL && (best == NULL || b->results > best->results))
				best = b;
		}
	}
	return best;
}

/* Median of the blocks of each class, new array; 0 for a class without any. */
static float *
class_medians(const struct blocks *blocks)
{
	float *medians = xcalloc(blocks->n_classes, sizeof(*medians));
	float *values = xcalloc(blocks->n, sizeof(*values));

	for (unsigned int c = 0; c < blocks->n_classes; c++) {
		unsigned int n = 0;

		for (unsigned int i = 0; i < blocks->n; i++)
			if (blocks->items[i].ns > 0 && blocks->items[i].class == c)
				values[n++] = blocks->items[i].ns;
		if (n == 0)
			continue;
		qsort(values, n, sizeof(*values), by_value);
		medians[c] = values[(n - 1) / 2];
	}
	free(values);
	return medians;
}

/* How much nearer or farther than the block's median the pairs of each core are, as a
 * share of it; new array by core. In a mesh a core in the middle is nearer to all. */
static float *
core_effects(
	const struct blocks *blocks, const struct block *block, const struct pairs *p)
{
	float *effects = xcalloc(blocks->n_cores, sizeof(*effects));
	unsigned int *n = xcalloc(blocks->n_cores, sizeof(*n));

	for (uint32_t i = block->first; i != BELIEF_NONE; i = p->items[i].next) {
		const struct belief *b = &p->items[i];
		unsigned int core_a = blocks->rows[b->a].core;
		unsigned int core_b = blocks->rows[b->b].core;
		float off = belief_ns(b) / block->ns - 1;

		if (b->results == 0 || fabsf(off) > EFFECT_MAX)
			continue;
		effects[core_a] += off;
		effects[core_b] += off;
		n[core_a]++;
		n[core_b]++;
	}
	for (unsigned int i = 0; i < blocks->n_cores; i++)
		effects[i] /= (float)n[i] + EFFECT_DOUBT;
	free(n);
	return effects;
}

/* What is known of blocks besides themselves. */
struct guesses {
	float *classes;	 /* medians */
	float **effects; /* of the cores in each block; NULL where its pairs agree */
};

static struct guesses
guesses_new(const struct blocks *blocks, const struct pairs *p)
{
	struct guesses g = {.classes = class_medians(blocks)};

	g.effects = xcalloc(blocks->n, sizeof(*g.effects));
	for (unsigned int i = 0; i < blocks->n; i++)
		if (blocks->items[i].detail && blocks->items[i].n_measured >= MANY &&
			!blocks->items[i].siblings)
			g.effects[i] = core_effects(blocks, &blocks->items[i], p);
	return g;
}

static void
guesses_free(struct guesses *g, const struct blocks *blocks)
{
	for (unsigned int i = 0; i < blocks->n; i++)
		free(g->effects[i]);
	free(g->effects);
	free(g->classes);
}

static struct matrix_cell
guess(const struct blocks *blocks, const struct guesses *g, unsigned int row_a,
	unsigned int row_b)
{
	const struct block *block = blocks_of(blocks, row_a, row_b);
	const float *effects = g->effects[block - blocks->items];
	float worth = DISAGREEMENT_HALF / (DISAGREEMENT_HALF + block->disagreement);
	float enough = block->n_measured >= 3 ? 1 : (float)block->n_measured / 3;
	float factor = 1;

	if (effects != NULL)
		factor += effects[blocks->rows[row_a].core] +
			  effects[blocks->rows[row_b].core];
	if (block->ns > 0)
		return (struct matrix_cell){
			.ns = block->ns * factor,
			.confidence_pct = (uint8_t)(CONFIDENCE_BLOCK * worth * enough),
		};
	if (g->classes[block->class] > 0)
		return (struct matrix_cell){
			.ns = g->classes[block->class],
			.confidence_pct = (uint8_t)CONFIDENCE_CLASS,
		};
	return (struct matrix_cell){0};
}

struct belief *
infer_stand_in(const struct blocks *blocks, const struct pairs *p, unsigned int row_a,
	unsigned int row_b)
{
	const struct blocks_core *x = &blocks->cores[blocks->rows[row_a].core];
	const struct blocks_core *y = &blocks->cores[blocks->rows[row_b].core];
	const struct blocks_pair cores = {
		.a = &blocks->core_rows[x->first],
		.b = &blocks->core_rows[y->first],
		.n_a = x->n,
		.n_b = y->n,
	};
	struct belief *own = pairs_find(p, row_a, row_b);

	if (x == y || blocks->by_cpu || (own != NULL && own->results > 0))
		return own;
	return infer_find(p, &cores);
}

static struct matrix_cell
cell_of(const struct blocks *blocks, const struct pairs *p, const struct guesses *g,
	unsigned int row_a, unsigned int row_b)
{
	const struct belief *b = infer_stand_in(blocks, p, row_a, row_b);
	bool gone = blocks->rows[row_a].gone || blocks->rows[row_b].gone;
	bool measured = b != NULL && b->results > 0;

	if (measured && b == pairs_find(p, row_a, row_b))
		return (struct matrix_cell){
			belief_ns(b), b->results, belief_confidence_pct(b)};
	if (gone)
		return (struct matrix_cell){0};
	if (measured)
		return (struct matrix_cell){
			.ns = belief_ns(b),
			.confidence_pct = (uint8_t)(CONFIDENCE_SIBLINGS *
						    (float)belief_confidence_pct(b)),
		};
	return guess(blocks, g, row_a, row_b);
}

/* The blocks as they are to be judged now; free its items. Those of the caller stay as
 * they are: looking at the results must not change what is measured next. */
static struct blocks
judged(const struct blocks *blocks, const struct pairs *p)
{
	struct blocks now = *blocks;
	float noise = infer_noise(p);

	now.items = xcalloc(now.n, sizeof(*now.items));
	for (unsigned int i = 0; i < now.n; i++) {
		now.items[i] = blocks->items[i];
		infer_judge(&now.items[i], p, noise);
	}
	return now;
}

struct matrix *
infer_matrix(
	const struct blocks *blocks, const struct pairs *p, const struct matrix *known)
{
	struct blocks now = judged(blocks, p);
	struct guesses g = guesses_new(&now, p);
	struct cpuset cpus = CPUSET_NONE;
	struct matrix *m;

	for (unsigned int row = 0; row < blocks->n_rows; row++)
		cpuset_add(&cpus, blocks->cpus[row]);
	m = matrix_new(&cpus);
	for (unsigned int i = 1; i < m->n; i++) {
		for (unsigned int j = 0; j < i; j++) {
			struct matrix_cell *cell = matrix_at(m, i, j);

			*cell = cell_of(&now, p, &g, i, j);
			if (known != NULL &&
				matrix_at(known, i, j)->visits > cell->visits)
				*cell = *matrix_at(known, i, j);
		}
	}
	guesses_free(&g, &now);
	free(now.items);
	return m;
}
