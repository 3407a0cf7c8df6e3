// SPDX-License-Identifier: MIT
/*
 * Demand poured over CPUs as a kernel would balance it: the least loaded fill first, up
 * to one level. For judges of placements; shares nothing with the planner.
 */
#ifndef QMPIN_TESTS_POUR_H
#define QMPIN_TESTS_POUR_H

/**
 * Raise the lowest of the loads to a common level that takes @demand.
 *
 * @at    @n places in @load, each below CPUSET_CAP, none twice
 * @load  changed
 * @got   what each of the @n places got; NULL: not asked for
 */
void pour(const unsigned short *at, unsigned int n, double demand, double *load,
	double *got);

#endif
