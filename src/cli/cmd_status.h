// SPDX-License-Identifier: MIT
/* qmpin status */
#ifndef QMPIN_CLI_CMD_STATUS_H
#define QMPIN_CLI_CMD_STATUS_H

#include "cli/cmd.h"

enum cmd_exit cmd_status_run(const struct args *args);

#endif
