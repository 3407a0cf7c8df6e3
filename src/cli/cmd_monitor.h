// SPDX-License-Identifier: MIT
/* qmpin monitor [ID] */
#ifndef QMPIN_CLI_CMD_MONITOR_H
#define QMPIN_CLI_CMD_MONITOR_H

#include "cli/args.h"
#include "cli/cmd.h"

enum cmd_exit cmd_monitor_run(const struct args *args);

#endif
