// SPDX-License-Identifier: MIT
/* A matrix that is being filled from a file of others: rows in any order of CPUs,
 * halves that do not agree. For the readers of such files. Pure. */
#ifndef QMPIN_PROBE_LATTABLE_H
#define QMPIN_PROBE_LATTABLE_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"
#include "topo/matrix.h"

struct lattable {
	unsigned int n;
	unsigned int *row_of; /* of the matrix, for the i-th CPU of the file */
	struct matrix *matrix;
};

/**
 * An empty table.
 *
 * @cpus   the n CPUs in the order of the file; NULL: those of @online in ascending
 *         order, and there must be n; without that either: 0, 1, 2 ...
 *
 * Returns 0 or -EINVAL with @e.
 */
MUST_CHECK int lattable_init(struct lattable *t, const unsigned int *cpus,
	unsigned int n, const struct cpuset *online, struct err *e);
void lattable_fini(struct lattable *t);

/** The position in the file of a CPU, or -1. */
int lattable_find(const struct lattable *t, unsigned int cpu);

/** May the @i-th row have so many cells: those of the lower triangle, with or without
 * the diagonal, or all? */
bool lattable_fits(const struct lattable *t, unsigned int i, size_t cells);

/**
 * What the file says of its @i-th and @j-th CPU. 0 is "no result", and the diagonal
 * does not count. Where both halves have a value the lower one stays: whatever disturbs
 * a measurement makes it longer.
 *
 * Returns 0 or -EINVAL (not a latency).
 */
MUST_CHECK int lattable_set(
	struct lattable *t, unsigned int i, unsigned int j, double ns);

#endif
