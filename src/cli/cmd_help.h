// SPDX-License-Identifier: MIT
/* qmpin help */
#ifndef QMPIN_CLI_CMD_HELP_H
#define QMPIN_CLI_CMD_HELP_H

#include "cli/cmd.h"

enum cmd_exit cmd_help_run(const struct args *args);

#endif
