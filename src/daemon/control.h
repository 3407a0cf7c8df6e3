// SPDX-License-Identifier: MIT
/*
 * The methods of io.qmpin: what the daemon answers. Reads the engine, never waits.
 */
#ifndef QMPIN_DAEMON_CONTROL_H
#define QMPIN_DAEMON_CONTROL_H

#include "base/attr.h"
#include "base/err.h"

struct ctl_server;
struct engine;

/** Serve in @run_dir. Errors as ctl_server_new. */
MUST_CHECK int control_new(struct engine *e, const char *run_dir,
	struct ctl_server **out, struct err *err);

/** Warnings that GetStatus has now. */
unsigned int control_count_warnings(const struct engine *e);

#endif
