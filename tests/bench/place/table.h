// SPDX-License-Identifier: MIT
/* Results as a table for people and as JSON. */
#ifndef QMPIN_BENCH_TABLE_H
#define QMPIN_BENCH_TABLE_H

#include <jansson.h>

#include "run.h"

struct table {
	json_t *rows; /* NULL: nobody wants JSON */
	char title[128];
};

/** Headings. @title names the host and the load. */
void table_begin(struct table *t, const char *title);

/** @to_numad  J in relation to numad on the same scenarios */
void table_row(
	struct table *t, const char *name, const struct score *s, double to_numad);

#endif
