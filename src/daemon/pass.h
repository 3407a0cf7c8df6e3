// SPDX-License-Identifier: MIT
/*
 * One pass: survey the VMs that are due, plan for all, apply what differs, report.
 */
#ifndef QMPIN_DAEMON_PASS_H
#define QMPIN_DAEMON_PASS_H

#include <stdbool.h>

struct engine;

/** Run over all VMs marked fresh. Returns false when there was none. */
bool pass_run(struct engine *e);

#endif
