// SPDX-License-Identifier: MIT
/* qmpin mode: the mode of a VM. */
#ifndef QMPIN_CLI_CMD_MODE_H
#define QMPIN_CLI_CMD_MODE_H

#include "cli/args.h"
#include "cli/cmd.h"

enum cmd_exit cmd_mode_run(const struct args *args);

#endif
