// SPDX-License-Identifier: MIT
/* qmpin restore: the masks that VMs had before qmpind. */
#ifndef QMPIN_CLI_CMD_RESTORE_H
#define QMPIN_CLI_CMD_RESTORE_H

#include "cli/args.h"
#include "cli/cmd.h"

enum cmd_exit cmd_restore_run(const struct args *args);

#endif
