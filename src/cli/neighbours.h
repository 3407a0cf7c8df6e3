// SPDX-License-Identifier: MIT
/* The CPUs that one CPU has, from near to far: `qmpin latency CPU`. */
#ifndef QMPIN_CLI_NEIGHBOURS_H
#define QMPIN_CLI_NEIGHBOURS_H

#include "base/attr.h"
#include "base/err.h"
#include "cli/args.h"
#include "ctl/latency.h"

/** Read a CPU's number. Returns 0 or -EINVAL with @e. */
MUST_CHECK int neighbours_parse(const char *text, unsigned int *cpu, struct err *e);

/**
 * Show them on stdout, as a table or, as the format says, JSON; those without a value
 * last.
 *
 * Returns 0 or -ENOENT with @e (that CPU is not among them).
 */
MUST_CHECK int neighbours_print(const struct ctl_latency *l, unsigned int cpu,
	const struct args *args, struct err *e);

#endif
