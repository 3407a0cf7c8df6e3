// SPDX-License-Identifier: MIT
/* The level in closed form: the mean of all places, then without those above it. */
#include "config.h"

#include "pour.h"

#include "topo/cpuset.h"

/* The level that @demand reaches in the @n places; those above it stay dry. */
static double
level_of(const unsigned short *at, unsigned int n, double demand, const double *load)
{
	unsigned short wet[CPUSET_CAP];
	unsigned int n_wet = n;
	double sum = demand;
	double level;

	for (unsigned int i = 0; i < n; i++) {
		wet[i] = at[i];
		sum += load[at[i]];
	}
	level = sum / n;
	for (;;) {
		unsigned int kept = 0;

		sum = demand;
		for (unsigned int i = 0; i < n_wet; i++) {
			if (load[wet[i]] >= level)
				continue;
			sum += load[wet[i]];
			wet[kept++] = wet[i];
		}
		/* all dry: rounding, the demand is next to nothing */
		if (kept == n_wet || kept == 0)
			return level;
		n_wet = kept;
		level = sum / n_wet;
	}
}

void
pour(const unsigned short *at, unsigned int n, double demand, double *load, double *got)
{
	double level;

	if (n == 1) {
		load[at[0]] += demand;
		if (got != NULL)
			got[0] = demand;
		return;
	}
	level = level_of(at, n, demand, load);
	for (unsigned int i = 0; i < n; i++) {
		double more = load[at[i]] < level ? level - load[at[i]] : 0;

		load[at[i]] += more;
		if (got != NULL)
			got[i] = more;
	}
}
