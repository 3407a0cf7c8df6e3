// SPDX-License-Identifier: MIT
/*
 * Histograms over the logarithm. A step is a valley: measured by how far the lower of
 * the peaks beside it rises above it, where a peak reaches as far as nothing is lower
 * than the valley.
 */
#include "config.h"

#include "topo/spread.h"

#include <math.h>
#include <stdbool.h>

#define BIN_RATIO 0.01980263f /* ln 1.02 */

/* Bins that are looked at together on either side of one: 10 % in all, about what one
 * class of pairs spreads. */
#define SMOOTH 2u

/* Pairs of one class in one place: of all n (n - 1) / 2 pairs, one for so many members,
 * and never a single one. */
#define PEAK_MEMBERS 12.0f
#define PEAK_MIN 2.0f

/* A valley has at most this share of the peaks beside it. */
#define VALLEY_MAX 0.5f

unsigned int
spread_bin(float ns)
{
	float bin = ns > 1.0f ? logf(ns) / BIN_RATIO : 0.0f;

	return bin < (float)SPREAD_BINS ? (unsigned int)bin : SPREAD_BINS - 1;
}

float
spread_ns(float bin)
{
	return expf((bin + 0.5f) * BIN_RATIO);
}

void
spread_add(struct spread *s, float ns)
{
	s->bins[spread_bin(ns)]++;
	s->n++;
}

void
spread_add_all(struct spread *s, const struct spread *other)
{
	for (unsigned int i = 0; i < SPREAD_BINS; i++)
		s->bins[i] += other->bins[i];
	s->n += other->n;
}

float
spread_quantile(const struct spread *s, float q)
{
	uint64_t rank = (uint64_t)((double)q * (double)(s->n - 1));
	uint64_t sum = 0;

	if (s->n == 0)
		return 0;
	for (unsigned int i = 0; i < SPREAD_BINS; i++) {
		sum += s->bins[i];
		if (sum > rank)
			return spread_ns((float)i);
	}
	return spread_ns((float)SPREAD_BINS);
}

struct valley {
	unsigned int from; /* bins of the floor */
	unsigned int to;
	unsigned int left; /* the peaks */
	unsigned int right;
	float depth;
};

static void
smooth(const struct spread *s, float *out)
{
	for (unsigned int i = 0; i < SPREAD_BINS; i++) {
		out[i] = 0;
		for (unsigned int k = 0; k <= 2 * SMOOTH; k++) {
			unsigned int at = i + k;

			if (at >= SMOOTH && at - SMOOTH < SPREAD_BINS)
				out[i] += (float)s->bins[at - SMOOTH];
		}
	}
}

/*
 * The highest bin on one side of a floor, up to where the ground is as low again. Bumps
 * of a few wrong values are walked over: a @substantial peak has what a class of pairs
 * has at least.
 */
static unsigned int
peak(const float *height, unsigned int from, int step, float substantial)
{
	unsigned int best = from;

	for (unsigned int i = from; i < SPREAD_BINS; i += (unsigned int)step) {
		if (height[i] < height[from] ||
			(height[i] == height[from] && height[best] >= substantial))
			break;
		best = height[i] > height[best] ? i : best;
	}
	return best;
}

static bool
measure_valley(const float *height, float least, unsigned int from, unsigned int to,
	struct valley *v)
{
	float substantial = fmaxf(least, height[from] / VALLEY_MAX);
	float low;

	*v = (struct valley){.from = from, .to = to};
	v->left = peak(height, from, -1, substantial);
	v->right = peak(height, to, 1, substantial);
	low = fminf(height[v->left], height[v->right]);
	v->depth = low - height[from];
	return low >= substantial;
}

/* Floors between the same peaks are one valley: its widest floor stands for it. */
static unsigned int
keep(struct valley *list, unsigned int n, unsigned int cap, const struct valley *v)
{
	unsigned int at;

	for (unsigned int i = 0; i < n; i++) {
		if (list[i].left != v->left || list[i].right != v->right)
			continue;
		if (v->depth > list[i].depth ||
			(v->depth == list[i].depth &&
				v->to - v->from > list[i].to - list[i].from))
			list[i] = *v;
		return n;
	}
	at = n < cap ? n++ : cap;
	for (; at > 0 && v->depth > list[at - 1].depth; at--) {
		if (at < cap)
			list[at] = list[at - 1];
	}
	if (at < cap)
		list[at] = *v;
	return n;
}

unsigned int
spread_steps(const struct spread *s, float *out, unsigned int cap)
{
	struct valley list[32] = {0};
	float height[SPREAD_BINS];
	float least = fmaxf(PEAK_MIN, sqrtf((float)s->n) / PEAK_MEMBERS);
	unsigned int n = 0;

	if (cap > ARRAY_LEN(list))
		cap = ARRAY_LEN(list);
	smooth(s, height);
	for (unsigned int i = 1; i + 1 < SPREAD_BINS; i++) {
		unsigned int to = i;
		struct valley v;

		while (to + 1 < SPREAD_BINS && height[to + 1] == height[i])
			to++;
		if (height[i - 1] > height[i] && to + 1 < SPREAD_BINS &&
			height[to + 1] > height[i] &&
			measure_valley(height, least, i, to, &v))
			n = keep(list, n, cap, &v);
		i = to;
	}
	for (unsigned int i = 0; i < n; i++)
		out[i] = spread_ns((float)(list[i].from + list[i].to) / 2);
	return n;
}
