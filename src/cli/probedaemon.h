// SPDX-License-Identifier: MIT
/* Measuring by the daemon, and waiting for it. */
#ifndef QMPIN_CLI_PROBEDAEMON_H
#define QMPIN_CLI_PROBEDAEMON_H

#include "base/attr.h"
#include "base/err.h"
#include "cli/args.h"
#include "cli/stop.h"

/**
 * Have the daemon measure, with a progress bar, until it is done.
 *
 * Returns 0, -ECANCELED (@stop: it stops too, since we hang up), -ENOENT or
 * -ECONNREFUSED (there is no daemon) or what else ctl_client_new and ctl_client_call
 * return, with @e.
 */
MUST_CHECK int probedaemon_run(
	const struct args *args, const struct stop *stop, struct err *e);

#endif
