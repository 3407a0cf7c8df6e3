// SPDX-License-Identifier: MIT
/* Latencies as CSV, as people and other tools write it. Pure. */
#ifndef QMPIN_PROBE_LATCSV_H
#define QMPIN_PROBE_LATCSV_H

#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"
#include "topo/matrix.h"

/**
 * Read a table, see probe/latfile.h. Cells are separated by commas or, without any, by
 * semicolons or tabs; blanks and quotes around a cell do not count, nor do lines that
 * begin with '#', carriage returns at the end of lines and blank lines at the end. An
 * empty cell, "-" and "nan" are "no result".
 *
 * Arguments and result as of latfile_parse.
 */
MUST_CHECK int latcsv_parse(const char *text, size_t len, const struct cpuset *online,
	const char *name, struct matrix **out, struct err *e);

#endif
