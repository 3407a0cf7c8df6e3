// SPDX-License-Identifier: MIT
/*
 * The objective: what a placement costs, in expected nanoseconds for each vCPU, term by
 * term. All constants of the planner that weigh one thing against another are here.
 * What a term's share of accesses, of demand or of vCPUs is worth is a part of the
 * worst latency between two cores of the host (at least TREE_WORST_MIN_NS), so that the
 * terms keep their order on every host. Pure.
 */
#ifndef QMPIN_PLACE_OBJECTIVE_H
#define QMPIN_PLACE_OBJECTIVE_H

#include "place/planner.h"

/* Each for each vCPU, weighted; the sum is the cost. */
struct terms {
	double ns[N_TERMS];
};

double terms_sum(const struct terms *t);

/** "waiting", "memory", ...: as in [weights], explain and metrics. Static. */
const char *term_name(enum term t);

/** The term with that name, or -1. */
int term_parse(const char *name);

#endif
