// SPDX-License-Identifier: MIT
/* Which columns of a table are shown: the usual ones, all, or those that were named. */
#ifndef QMPIN_CLI_COLUMNS_H
#define QMPIN_CLI_COLUMNS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"
#include "cli/table.h"

/* A choice: which of the given columns, in which order. */
struct columns {
	size_t n;
	size_t given[TABLE_COLUMNS_MAX]; /* index of each among all */
	struct table_column shown[TABLE_COLUMNS_MAX];
};

/**
 * Choose among all columns of a table. Pure.
 *
 * @all    n of them, at most TABLE_COLUMNS_MAX
 * @names  in any case, with commas between: "vm,cpus". After a "+" these come besides
 *         the usual ones. NULL: the usual ones, or with @every all of them. What is
 *         named is not left out where the window is too narrow.
 * @out    written only on success
 *
 * Returns 0, or -EINVAL with @e, which names the column and those that there are.
 */
MUST_CHECK int columns_choose(const struct table_column *all, size_t n,
	const char *names, bool every, struct columns *out, struct err *e);

#endif
