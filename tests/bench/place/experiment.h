// SPDX-License-Identifier: MIT
/* What the benchmark compares: policies, what moving and width are worth, weights. */
#ifndef QMPIN_BENCH_EXPERIMENT_H
#define QMPIN_BENCH_EXPERIMENT_H

#include "table.h"

struct experiment {
	struct bench_host *host;
	struct scenario_band band;
	unsigned int first_seed;
	unsigned int seeds;
	unsigned int anneal_seeds; /* 0: without the reference */
	unsigned int events;
	struct tune tune;
	struct table *table;
};

/** Every policy. */
void experiment_compare(const struct experiment *x);

/** J, waiting and imbalance against what may be moved, and against how wide masks are.
 */
void experiment_curves(const struct experiment *x);

/** Each weight of the planner halved and doubled. */
void experiment_weights(const struct experiment *x);

#endif
