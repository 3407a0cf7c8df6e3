// SPDX-License-Identifier: MIT
/*
 * Latencies in files of others: CSV and JSON, in and out. Pure.
 *
 * CSV is the lower triangle without header (row i: cells for columns j < i, the rest
 * empty), or a full table with a header and row labels (CPU numbers). Rows without
 * labels are the online CPUs in ascending order. JSON is {"unit":"ns","cpus":[0,1],
 * "matrix":[[0,5],[5,0]]}; a lower triangle will do, null is "no result". The text of
 * probe/cache.h is accepted too.
 */
#ifndef QMPIN_PROBE_LATFILE_H
#define QMPIN_PROBE_LATFILE_H

#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"
#include "topo/matrix.h"

/**
 * Read a text of any of these formats.
 *
 * @online  CPUs that rows without labels stand for; NULL: 0, 1, 2 ...
 * @name    of the file, for messages
 * @out     new object, free with matrix_free; written only on success. Values have one
 *          visit and full confidence where the file does not tell.
 *
 * Returns 0 or -EINVAL with @e (file, line).
 */
MUST_CHECK int latfile_parse(const char *text, size_t len, const struct cpuset *online,
	const char *name, struct matrix **out, struct err *e);

/** Full table with header and row labels; new string, free() it. */
char *latfile_csv(const struct matrix *m);

/** New string, free() it. */
char *latfile_json(const struct matrix *m);

#endif
