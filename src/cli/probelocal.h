// SPDX-License-Identifier: MIT
/* Measuring without the daemon: qmpin-probe as a child of ours. */
#ifndef QMPIN_CLI_PROBELOCAL_H
#define QMPIN_CLI_PROBELOCAL_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"
#include "cli/args.h"
#include "cli/latsource.h"
#include "cli/stop.h"

/* So long it may take at most where --budget does not say. */
#define PROBELOCAL_BUDGET_S 30.0

/**
 * Measure this host, with a progress bar. What qmpin-probe notes is told on stderr.
 *
 * @out    latsource_close it; written only when there is a result, with all return
 *         values: what was measured before the end is worth something
 * @found  there is a result
 *
 * Returns 0, -ECANCELED (@stop) or another negative errno with @e. The child is gone in
 * any case.
 */
MUST_CHECK int probelocal_run(const struct args *args, const struct stop *stop,
	struct latsource *out, bool *found, struct err *e);

#endif
