// SPDX-License-Identifier: MIT
/*
 * A host through some random events, with everything that must hold of its plans:
 * invariants.h after each one, and what needs several plans (order, repetition, other
 * CPU numbers, newcomers, rebalance). For unit tests and fuzzers.
 */
#ifndef QMPIN_TESTS_TRIALS_H
#define QMPIN_TESTS_TRIALS_H

#include <stdio.h>

#include "chance.h"
#include "invariants.h"

struct trials {
	FILE *show; /* what happens goes there, NULL: nowhere */
	struct invariants inv;
	unsigned long events; /* plans after an event */
	unsigned long plans;  /* all of them */
	/* The objective after the same start with other CPU numbers: starts with a
	 * difference, the sum of their relative differences, and the largest. */
	unsigned long renumbered;
	unsigned long renumbered_differ;
	double renumbered_sum;
	double renumbered_max;
	unsigned long rebalanced; /* VMs */
	/* Rounds that moved VMs where some have rules of their own, those that raised
	 * the objective, and the largest relative rise. */
	unsigned long limited;
	unsigned long limited_worse;
	double limited_max;
};

/** One host. Ends early when something is broken. */
void trials_run(struct trials *t, struct chance *c, unsigned int events);

#endif
