// SPDX-License-Identifier: MIT
/* qmpin plan. */
#ifndef QMPIN_CLI_CMD_PLAN_H
#define QMPIN_CLI_CMD_PLAN_H

#include "cli/cmd.h"

enum cmd_exit cmd_plan_run(const struct args *args);

#endif
