// SPDX-License-Identifier: MIT
/* A run of qmpin-probe, from its options to its last line. */
#ifndef QMPIN_PROBE_RUN_H
#define QMPIN_PROBE_RUN_H

#include "base/attr.h"
#include "probe/probeargs.h"

/**
 * Measure, speaking probe/wire.h on @in and @out. What goes wrong is told there too.
 * The process may end inside: when whoever holds the other end of @in has gone.
 *
 * Returns the exit status, 0 or 1.
 */
MUST_CHECK int run_probe(const struct probeargs *args, int in, int out);

#endif
