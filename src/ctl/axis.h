// SPDX-License-Identifier: MIT
/*
 * The axis of a picture: CPUs in the order of their tiers, so that the domains of each
 * tier lie next to each other, and which of them get a label. Pure.
 */
#ifndef QMPIN_CTL_AXIS_H
#define QMPIN_CTL_AXIS_H

#include <stdbool.h>

#include "base/attr.h"
#include "ctl/latency.h"

struct axis {
	unsigned int n; /* CPUs, hence positions */
	unsigned int n_tiers;
	unsigned int *row;    /* position -> row of the matrix */
	unsigned int *cpu;    /* position -> CPU number */
	unsigned int *domain; /* tier * n + position -> domain of that tier */
};

/** @l without a matrix has an axis without positions. */
void axis_init(struct axis *a, const struct ctl_latency *l);
void axis_fini(struct axis *a);

/** A domain of @tier begins at position @at. */
bool axis_begins(const struct axis *a, unsigned int tier, unsigned int at);

/** One behind the last position of the domain of @tier that holds position @at. */
unsigned int axis_end(const struct axis *a, unsigned int tier, unsigned int at);

/** Domains of @tier, as they lie on the axis. */
unsigned int axis_runs(const struct axis *a, unsigned int tier);

/** CPUs of positions @from to @to - 1. */
struct cpuset axis_cpus(const struct axis *a, unsigned int from, unsigned int to);

/**
 * Choose the positions that are labelled: where domains of far tiers begin first, then
 * where those of near ones do, then regular steps.
 *
 * @gap  fewest positions from one label to the next, at least 1
 * @out  a flag a position
 */
void axis_labels(const struct axis *a, unsigned int gap, bool *out);

#endif
