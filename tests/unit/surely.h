// SPDX-License-Identifier: MIT
/* Plans and scores of good input: anything else ends the test program. */
#ifndef QMPIN_TESTS_SURELY_H
#define QMPIN_TESTS_SURELY_H

#include <stdio.h>
#include <stdlib.h>

#include "place/planner.h"
#include "place/score.h"

static inline struct plan *
surely_plan(const struct plan_input *in)
{
	struct plan *p = NULL;
	struct err e = ERR_NONE;

	if (planner_run(in, &p, &e) < 0) {
		fprintf(stderr, "planner: %s\n", e.text);
		abort();
	}
	return p;
}

static inline struct score
surely_score(const struct plan_input *in)
{
	struct score s = {0};
	struct err e = ERR_NONE;

	if (score_masks(in, &s, &e) < 0) {
		fprintf(stderr, "score: %s\n", e.text);
		abort();
	}
	return s;
}

#endif
