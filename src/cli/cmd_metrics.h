// SPDX-License-Identifier: MIT
/* qmpin metrics: numbers of the daemon for Prometheus. */
#ifndef QMPIN_CLI_CMD_METRICS_H
#define QMPIN_CLI_CMD_METRICS_H

#include "cli/cmd.h"

enum cmd_exit cmd_metrics_run(const struct args *args);

#endif
