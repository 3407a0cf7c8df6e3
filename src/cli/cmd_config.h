// SPDX-License-Identifier: MIT
/* qmpin config: settings in force, and whether files are right. */
#ifndef QMPIN_CLI_CMD_CONFIG_H
#define QMPIN_CLI_CMD_CONFIG_H

#include "cli/args.h"
#include "cli/cmd.h"

enum cmd_exit cmd_config_run(const struct args *args);

#endif
