// SPDX-License-Identifier: MIT
/* The command line of qmpin-probe. */
#ifndef QMPIN_PROBE_PROBEARGS_H
#define QMPIN_PROBE_PROBEARGS_H

#include <stdbool.h>
#include <stdio.h>

#include "base/attr.h"
#include "base/err.h"
#include "topo/cpuset.h"

/* A week: nobody waits longer. */
#define PROBEARGS_SECONDS_MAX 604800u

struct probeargs {
	bool cpus_given;
	struct cpuset cpus; /* as asked for */
	double cold_s;
	double budget_s; /* 0: until all is known */
	unsigned int cpus_pct;
	bool exhaustive;
	bool help;
	bool version;
};

/** Returns 0 or -EINVAL with @e; @out is written only on success. Uses getopt's state.
 */
MUST_CHECK int probeargs_parse(
	int argc, char **argv, struct probeargs *out, struct err *e);

void probeargs_help(FILE *out);

#endif
