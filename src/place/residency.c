// SPDX-License-Identifier: MIT
/* Costs of remote memory, and first touch. */
#include "config.h"

#include "place/residency.h"

#include <stdlib.h>

#include "base/xalloc.h"
#include "place/objective.h"

/* The least distance of a node with CPUs to any other; 0: unknown. */
static unsigned int
nearest_distance(const struct topo *t)
{
	unsigned int least = 0;

	for (unsigned int i = 0; i < t->n_nodes; i++) {
		for (unsigned int j = 0; j < t->n_nodes; j++) {
			unsigned int d = topo_distance(t, i, j);

			if (i == j || d == 0 || cpuset_empty(&t->nodes[i].cpus))
				continue;
			if (least == 0 || d < least)
				least = d;
		}
	}
	return least;
}

static double
cost_of(unsigned int distance, unsigned int nearest)
{
	double relative = 1;

	if (distance > nearest && nearest > 0)
		relative = (double)distance / nearest;
	if (relative > REMOTE_FAR_MAX)
		relative = REMOTE_FAR_MAX;
	return COST_REMOTE_ANY + COST_REMOTE_FAR * relative;
}

float *
residency_costs(const struct topo *t)
{
	unsigned int n = t->n_nodes;
	unsigned int nearest = nearest_distance(t);
	float *costs = xcalloc((size_t)n * n, sizeof(*costs));

	for (unsigned int i = 0; i < n; i++) {
		for (unsigned int j = 0; j < n; j++) {
			if (i != j)
				costs[i * n + j] =
					(float)cost_of(topo_distance(t, i, j), nearest);
		}
	}
	return costs;
}

double
residency_mean(const float *costs, unsigned int n, const float *from, const double *to)
{
	double sum = 0;
	double known = 0;

	for (unsigned int i = 0; i < n; i++) {
		const float *row = costs + (size_t)i * n;

		for (unsigned int j = 0; j < n && from[i] > 0; j++) {
			sum += (double)from[i] * to[j] * (double)row[j];
			known += (double)from[i] * to[j];
		}
	}
	/* from[] is single precision */
	return known < 1 - 1e-5 ? sum + 1 - known : sum;
}

double
residency_nearest(const struct topo *t, const float *costs, const float *from,
	const struct cpuset *to)
{
	unsigned int n = t->n_nodes;
	double sum = 0;

	for (unsigned int i = 0; i < n; i++) {
		float least = -1;

		if (from[i] <= 0)
			continue;
		for (unsigned int j = 0; j < n; j++) {
			float cost = costs[i * n + j];

			if (cpuset_has(to, t->nodes[j].id) &&
				(least < 0 || cost < least))
				least = cost;
		}
		if (least > 0)
			sum += (double)(least * from[i]);
	}
	return sum;
}

/* Share of the memory that node @i still has room for, @got of it there already. */
static double
room(const struct residency_want *want, unsigned int i, double got)
{
	double left;

	if (want->free_gib == NULL || want->free_gib[i] < 0 || want->gib <= 0)
		return 1;
	left = want->free_gib[i] + (want->own_gib != NULL ? want->own_gib[i] : 0);
	left = left / want->gib - got;
	return left > 0 ? left : 0;
}

/* The nearest node to @i with room, or @n. */
static unsigned int
nearest_room(const struct residency_want *want, const float *row, unsigned int n,
	const double *out)
{
	unsigned int best = n;

	for (unsigned int j = 0; j < n; j++) {
		/* less than a millionth is rounding: that node is full */
		if (room(want, j, out[j]) < 1e-6)
			continue;
		if (best == n || row[j] < row[best])
			best = j;
	}
	return best;
}

void
residency_touch(const struct topo *t, const float *costs,
	const struct residency_want *want, double *out)
{
	unsigned int n = t->n_nodes;

	for (unsigned int i = 0; i < n; i++) {
		double share = (double)want->share[i];
		double fits = room(want, i, 0);

		out[i] = share < fits ? share : fits;
	}
	/* a node with something left over is full, so nothing of others comes to it */
	for (unsigned int i = 0; i < n; i++) {
		double rest = (double)want->share[i] - out[i];

		while (rest > 1e-9) {
			unsigned int j =
				nearest_room(want, costs + (size_t)i * n, n, out);
			double fits;

			if (j == n)
				break;
			fits = room(want, j, out[j]);
			fits = fits < rest ? fits : rest;
			out[j] += fits;
			rest -= fits;
		}
		if (rest > 1e-9)
			out[i] += rest;
	}
}
