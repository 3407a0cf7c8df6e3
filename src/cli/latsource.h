// SPDX-License-Identifier: MIT
/* Where `qmpin latency` and `qmpin heatmap` take latencies from. */
#ifndef QMPIN_CLI_LATSOURCE_H
#define QMPIN_CLI_LATSOURCE_H

#include "base/attr.h"
#include "cli/args.h"
#include "cli/cmd.h"
#include "ctl/latency.h"
#include "topo/model.h"

/**
 * Get latencies: from the files named by --latency and --topology where given (with a
 * topology alone: the class model), else from the daemon. Errors are told here.
 *
 * @out   ctl_latency_fini it; written only with CMD_OK
 * @topo  the host, NULL where only the daemon knows it; topo_free it; may be NULL
 */
MUST_CHECK enum cmd_exit latsource_get(
	const struct args *args, struct ctl_latency *out, struct topo **topo);

#endif
