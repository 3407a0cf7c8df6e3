// SPDX-License-Identifier: MIT
/* The same scenarios for everyone. */
#include "config.h"

#include "experiment.h"

#include <stdio.h>

#include "place/objective.h"
#include "policies.h"

static const struct policy *const policies[] = {&policy_unpinned, &policy_random,
	&policy_nearest, &policy_rfc_numa, &policy_rfc_one, &policy_kubelet,
	&policy_numad, &policy_sketch, &policy_sketch_moves, &policy_planner,
	&policy_float, &policy_rebalance};

static struct score
run_seeds(const struct experiment *x, const struct policy *p, const struct tune *tune,
	unsigned int seeds)
{
	struct score s = {0};

	for (unsigned int i = 0; i < seeds; i++) {
		struct scenario sc = scenario_make(
			x->host->topo, &x->band, x->first_seed + i, x->events);

		run_scenario(p, x->host, tune, &sc, &s);
		scenario_fini(&sc);
	}
	return s;
}

/* J of numad on the same scenarios. */
static double
numad_j(const struct experiment *x, unsigned int seeds)
{
	struct score s = run_seeds(x, &policy_numad, &x->tune, seeds);
	double j = score_mean(&s, MEASURE_J);

	score_fini(&s);
	return j;
}

static void
begin(const struct experiment *x, const char *what)
{
	char title[128];

	(void)snprintf(title, sizeof(title), "%s, %u-%u %%%s", x->host->name,
		x->band.low_pct, x->band.high_pct, what);
	table_begin(x->table, title);
}

/* One row. */
static void
row(const struct experiment *x, const struct policy *p, const struct tune *tune,
	const char *name, double numad)
{
	struct score s = run_seeds(x, p, tune, x->seeds);

	table_row(x->table, name, &s, score_mean(&s, MEASURE_J) / numad);
	score_fini(&s);
}

void
experiment_compare(const struct experiment *x)
{
	double numad = numad_j(x, x->seeds);

	begin(x, "");
	for (size_t i = 0; i < ARRAY_LEN(policies); i++)
		row(x, policies[i], &x->tune, policies[i]->name, numad);
	if (x->anneal_seeds > 0) {
		struct experiment few = *x;

		few.seeds = x->anneal_seeds;
		row(&few, &policy_anneal, &x->tune, policy_anneal.name,
			numad_j(x, few.seeds));
	}
}

void
experiment_curves(const struct experiment *x)
{
	static const double credits[] = {0, 0.25, 0.5, 1, 2, 4, 8};
	static const double widths[] = {0.25, 0.5, 1, 2, 4};
	double numad = numad_j(x, x->seeds);
	char name[64];

	begin(x, ", vCPUs that may be moved for an event");
	for (size_t i = 0; i < ARRAY_LEN(credits); i++) {
		struct tune tune = x->tune;

		tune.credit = credits[i];
		(void)snprintf(name, sizeof(name), "%g", credits[i]);
		row(x, &policy_planner, &tune, name, numad);
	}
	begin(x, ", waiting that masks may cause");
	for (size_t i = 0; i < ARRAY_LEN(widths); i++) {
		struct tune tune = x->tune;

		tune.width = widths[i];
		(void)snprintf(name, sizeof(name), "x %g", widths[i]);
		row(x, &policy_planner, &tune, name, numad);
	}
}

void
experiment_weights(const struct experiment *x)
{
	static const double factors[] = {0.5, 2};
	double numad = numad_j(x, x->seeds);

	begin(x, ", weights");
	row(x, &policy_planner, &x->tune, "as they are", numad);
	for (int t = 0; t < N_TERMS; t++) {
		for (size_t i = 0; i < ARRAY_LEN(factors); i++) {
			struct tune tune = x->tune;
			char name[64];

			tune.term = t;
			tune.weight = factors[i];
			(void)snprintf(name, sizeof(name), "%s x %g",
				term_name((enum term)t), factors[i]);
			row(x, &policy_planner, &tune, name, numad);
		}
	}
}
