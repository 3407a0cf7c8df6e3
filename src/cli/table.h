// SPDX-License-Identifier: MIT
/*
 * Tables for people: as wide as needed in a pipe, fitted to the window on a terminal.
 * There, where it is too narrow, columns are left out and cells are cut with a mark: a
 * list of CPUs that has lost its end must not look like a whole one. Sentences of the
 * last column may go to lines of their own instead, where all of them can be read.
 */
#ifndef QMPIN_CLI_TABLE_H
#define QMPIN_CLI_TABLE_H

#include <stdbool.h>
#include <stddef.h>

struct table;

#define TABLE_COLUMNS_MAX 20

struct table_column {
	const char *name;
	bool right; /* numbers */
	unsigned int
		min; /* cells may be cut to this width; 0: never. The last first. */
	unsigned int drop; /* may be left out; 0: never. The lowest first. */
	/* Of the last column only: narrower than this, its cells are put below their
	 * rows; 0: never. */
	unsigned int below;
	bool extra; /* shown when asked for by name only */
};

/** @columns are borrowed, at most TABLE_COLUMNS_MAX. Never NULL. */
struct table *table_new(const struct table_column *columns, size_t n);
void table_free(struct table *t);

/** Begin a row; its cells are empty. */
void table_row(struct table *t);

/** Set a cell of the last row; takes @text (heap, safe to print). */
void table_set(struct table *t, size_t column, char *text);

/** Show the last row as one to look at, if colours are shown. */
void table_mark(struct table *t);

/**
 * Choose the columns and their widths so that they fit @width. Pure.
 *
 * @widths  of the widest cell of each, heading included; changed to what is granted, 0
 *          for a column that is left out
 */
void table_fit(
	const struct table_column *columns, size_t n, size_t width, size_t *widths);

/**
 * Decide whether the last column is put below the rows. Pure.
 *
 * @widths  as for table_fit, which follows; the last becomes 0 when it is
 */
bool table_goes_below(
	const struct table_column *columns, size_t n, size_t width, size_t *widths);

/** Write to stdout. */
void table_print(const struct table *t, bool heading);

#endif
