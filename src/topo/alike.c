// SPDX-License-Identifier: MIT
/*
 * Kinds are the two blocks that explain most of the latencies' logarithms. They count
 * where their rows differ by far more than classes spread, and where pairs inside a
 * kind are farther than those between lead one to expect. No mesh, ring or tree looks
 * like that: there, groups are near inside. Cores of one kind may well slope (the ring
 * of a desktop chip), so slopes are taken out before that is asked.
 */
#include "config.h"

#include "topo/alike.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

/* Chips with several kinds of cores have some dozens of CPUs. */
#define CPUS_MAX 128u
#define UNIT_SIZE_MAX 8u

/* Of each kind: less is chance, and too little to place a VM by. */
#define KIND_UNITS_MIN 3u
#define KIND_CPUS_MIN 4u

/* What a pair may differ from what its CPUs add (logarithm); more is a wrong value. */
#define CLIP 0.3f

/* Turns of finding out what each CPU adds; they converge fast. */
#define TURNS 4u

/* Root mean square of what rows of the two kinds differ by (logarithm). What is noise
 * and a slope of a few nanoseconds comes to 0.11, two kinds of cores to 0.15 and more.
 */
#define DIFFERENCE_MIN 0.13f
#define DIFFERENCE_MIN_TOLD 0.08f

/* Pairs inside kinds are farther than expected from those between by this at least
 * (logarithm), and by so many standard errors. */
#define CONTRAST_MIN 0.04f
#define SIGMA_MIN 2.0f

/* Two latencies are never measured to repeat better than this (logarithm). */
#define SPREAD_MIN 0.02f

/* Of some pairs: the logarithms of their latencies, and what is left of these without
 * what their CPUs add. */
struct cell {
	double log;
	double rest;
	double n;
};

struct search {
	const struct lat_view *lat;
	unsigned int n;	     /* units */
	unsigned int *of;    /* unit of each CPU */
	unsigned int *size;  /* CPUs of each unit */
	unsigned int *first; /* CPU of each unit */
	float *logs;	     /* n x n of CPUs */
	float *effect;	     /* what each CPU adds to those */
	struct cell *cells;  /* n x n, between units */
	float spread;	     /* of what is left of single pairs */
};

/* Two kinds: pairs[0] and [2] are those inside, [1] those between. */
struct split {
	bool *second; /* of each unit: which kind */
	struct cell pairs[3];
};

static int
ascending(const void *a, const void *b)
{
	float x = *(const float *)a;
	float y = *(const float *)b;

	return x < y ? -1 : x > y;
}

static float
median(float *v, size_t n)
{
	if (n == 0)
		return 0;
	qsort(v, n, sizeof(*v), ascending);
	return (v[n / 2] + v[(n - 1) / 2]) / 2;
}

/* A pair is known and not inside a unit. */
static bool
is_known(const struct search *s, unsigned int a, unsigned int b)
{
	return s->of[a] != s->of[b] && lat_ns(s->lat, a, b) > 0;
}

static float
log_of(const struct search *s, unsigned int a, unsigned int b)
{
	return s->logs[(size_t)a * s->lat->n + b];
}

/* The median of what is left of the pairs of a CPU. @values has room for all. */
static float
median_rest(const struct search *s, unsigned int a, float *values)
{
	size_t n = 0;

	for (unsigned int b = 0; b < s->lat->n; b++) {
		if (is_known(s, a, b))
			values[n++] = log_of(s, a, b) - s->effect[a] - s->effect[b];
	}
	return median(values, n);
}

/* What each CPU adds to all its pairs, by medians: wrong values do not matter. */
static void
find_effects(struct search *s)
{
	unsigned int n = s->lat->n;
	auto_free float *values = xcalloc(n, sizeof(*values));
	auto_free float *more = xcalloc(n, sizeof(*more));

	for (unsigned int turn = 0; turn < TURNS; turn++) {
		for (unsigned int a = 0; a < n; a++)
			more[a] = median_rest(s, a, values);
		/* half of it: the other one of each pair moves too */
		for (unsigned int a = 0; a < n; a++)
			s->effect[a] += more[a] / 2;
	}
}

static void
fill_cells(struct search *s)
{
	double square = 0;
	double pairs = 0;

	for (unsigned int a = 0; a < s->lat->n; a++) {
		for (unsigned int b = 0; b < s->lat->n; b++) {
			struct cell *c = &s->cells[(size_t)s->of[a] * s->n + s->of[b]];
			float added = s->effect[a] + s->effect[b];
			float rest;

			if (!is_known(s, a, b))
				continue;
			rest = fmaxf(-CLIP, fminf(CLIP, log_of(s, a, b) - added));
			c->log += (double)(rest + added);
			c->rest += (double)rest;
			c->n++;
			square += (double)(rest * rest);
			pairs++;
		}
	}
	s->spread = pairs > 0 ? (float)sqrt(square / pairs) : 0;
}

static void
search_init(struct search *s, const struct lat_view *lat, const struct partition *units)
{
	size_t n = lat->n;

	*s = (struct search){.lat = lat};
	s->of = xcalloc(n, sizeof(*s->of));
	s->size = xcalloc(n, sizeof(*s->size));
	s->first = xcalloc(n, sizeof(*s->first));
	for (unsigned int i = 0; i < n; i++) {
		if (units->head[i] == i)
			s->first[s->n++] = i;
		s->of[i] = units->head[i] == i ? s->n - 1 : s->of[units->head[i]];
		s->size[s->of[i]]++;
	}
	s->logs = xcalloc(n * n, sizeof(*s->logs));
	for (size_t i = 0; i < n * n; i++)
		s->logs[i] = lat->ns[i] > 0 ? logf(lat->ns[i]) : 0;
	s->effect = xcalloc(n, sizeof(*s->effect));
	find_effects(s);
	s->cells = xcalloc((size_t)s->n * s->n, sizeof(*s->cells));
	fill_cells(s);
}

static void
search_fini(struct search *s)
{
	free(s->of);
	free(s->size);
	free(s->first);
	free(s->logs);
	free(s->effect);
	free(s->cells);
}

static void
cell_add(struct cell *to, const struct cell *c, double times)
{
	to->log += times * c->log;
	to->rest += times * c->rest;
	to->n += times * c->n;
}

static void
measure(const struct search *s, struct split *p)
{
	memset(p->pairs, 0, sizeof(p->pairs));
	for (unsigned int a = 0; a < s->n; a++) {
		for (unsigned int b = 0; b < a; b++)
			cell_add(&p->pairs[p->second[a] + p->second[b]],
				&s->cells[(size_t)a * s->n + b], 1);
	}
}

/* A unit of the second kind becomes one of the first. */
static void
move_to_first(const struct search *s, struct split *p, unsigned int unit)
{
	p->second[unit] = false;
	for (unsigned int i = 0; i < s->n; i++) {
		const struct cell *c = &s->cells[(size_t)unit * s->n + i];

		/* those of the unit with itself are none */
		cell_add(&p->pairs[1 + p->second[i]], c, -1);
		cell_add(&p->pairs[p->second[i]], c, 1);
	}
}

static double
mean_log(const struct cell *c)
{
	return c->n > 0 ? c->log / c->n : 0;
}

static double
mean_rest(const struct cell *c)
{
	return c->n > 0 ? c->rest / c->n : 0;
}

/* The sum of squares that the means of three classes of pairs account for; the sum over
 * all pairs is the same for each split. */
static double
explained(const struct split *p)
{
	double sum = 0;

	for (unsigned int k = 0; k < 3; k++)
		sum += mean_log(&p->pairs[k]) * p->pairs[k].log;
	return sum;
}

/* Both kinds are large enough and something is known of each class of pairs. */
static bool
is_sound(const struct search *s, const struct split *p)
{
	unsigned int units[2] = {0};
	unsigned int cpus[2] = {0};

	for (unsigned int i = 0; i < s->n; i++) {
		units[p->second[i]]++;
		cpus[p->second[i]] += s->size[i];
	}
	for (unsigned int k = 0; k < 2; k++) {
		if (units[k] < KIND_UNITS_MIN || cpus[k] < KIND_CPUS_MIN)
			return false;
	}
	return p->pairs[0].n > 0 && p->pairs[1].n > 0 && p->pairs[2].n > 0;
}

/* Of all runs of units from the first one on, the one that explains most. Returns
 * whether there is any. */
static bool
find_split(const struct search *s, struct split *p)
{
	unsigned int best = 0;
	double most = 0;

	for (unsigned int i = 0; i < s->n; i++)
		p->second[i] = true;
	measure(s, p);
	for (unsigned int i = 0; i < s->n; i++) {
		move_to_first(s, p, i);
		if (!is_sound(s, p) || (best > 0 && explained(p) <= most))
			continue;
		best = i + 1;
		most = explained(p);
	}
	for (unsigned int i = 0; i < s->n; i++)
		p->second[i] = i >= best;
	measure(s, p);
	return best > 0;
}

/* The kinds that the host tells. Returns false where they cut across a unit. */
static bool
take_split(const struct search *s, const struct partition *kinds, struct split *p)
{
	for (unsigned int i = 0; i < kinds->n; i++) {
		if (kinds->head[i] != kinds->head[s->first[s->of[i]]])
			return false;
		p->second[s->of[i]] = kinds->head[i] != kinds->head[0];
	}
	measure(s, p);
	return is_sound(s, p);
}

/* How much rows of the two kinds differ, over the columns of all units. */
static float
difference(const struct search *s, const struct split *p)
{
	double in_first = mean_log(&p->pairs[1]) - mean_log(&p->pairs[0]);
	double in_second = mean_log(&p->pairs[2]) - mean_log(&p->pairs[1]);
	double sum = 0;

	for (unsigned int i = 0; i < s->n; i++)
		sum += p->second[i] ? in_second * in_second : in_first * in_first;
	return (float)sqrt(sum / s->n);
}

/* One kind is slower than the other, whomever it talks to. */
static bool
is_slower(const struct split *p)
{
	double between = mean_log(&p->pairs[1]);

	return (between - mean_log(&p->pairs[0])) * (mean_log(&p->pairs[2]) - between) >
	       0;
}

/* Pairs inside are farther than those between lead one to expect. */
static bool
is_no_nearness(const struct search *s, const struct split *p)
{
	const struct cell *c = p->pairs;
	double value = mean_rest(&c[0]) + mean_rest(&c[2]) - 2 * mean_rest(&c[1]);
	double error = (double)s->spread * sqrt(1 / c[0].n + 4 / c[1].n + 1 / c[2].n);

	return value >= (double)CONTRAST_MIN && value >= (double)SIGMA_MIN * error;
}

static struct partition
blocks_of(const struct search *s, const struct split *p)
{
	struct partition blocks = partition_singles(s->lat->n);
	unsigned int other = 0;

	while (p->second[s->of[other]] == p->second[s->of[0]])
		other++;
	for (unsigned int i = 0; i < blocks.n; i++) {
		bool same = p->second[s->of[i]] == p->second[s->of[0]];

		partition_join(&blocks, i, same ? 0 : other);
	}
	partition_settle(&blocks);
	return blocks;
}

static bool
is_looked_at(const struct lat_view *lat, const struct partition *units)
{
	auto_free unsigned int *size = NULL;

	if (lat->n > CPUS_MAX || units->n_blocks < 2 * KIND_UNITS_MIN)
		return false;
	size = xcalloc(units->n, sizeof(*size));
	partition_sizes(units, size);
	for (unsigned int i = 0; i < units->n; i++) {
		if (size[i] > UNIT_SIZE_MAX)
			return false;
	}
	return true;
}

bool
alike_find(const struct lat_view *lat, const struct partition *units,
	const struct partition *kinds, struct alike *out)
{
	auto_free bool *second = NULL;
	struct split p;
	struct search s;
	float by;
	bool found;

	if (!is_looked_at(lat, units))
		return false;
	second = xcalloc(units->n_blocks, sizeof(*second));
	p = (struct split){.second = second};
	search_init(&s, lat, units);
	found = kinds != NULL ? take_split(&s, kinds, &p) : find_split(&s, &p);
	by = found ? difference(&s, &p) : 0;
	if (kinds != NULL)
		found = found && by >= DIFFERENCE_MIN_TOLD && is_slower(&p);
	else
		found = found && by >= DIFFERENCE_MIN && is_no_nearness(&s, &p);
	if (found)
		*out = (struct alike){
			blocks_of(&s, &p), 1 - expf(-by / (s.spread + SPREAD_MIN))};
	search_fini(&s);
	return found;
}
