// SPDX-License-Identifier: MIT
/* qmpin apply: place VMs now; with --dry-run, show what would be done. */
#ifndef QMPIN_CLI_CMD_APPLY_H
#define QMPIN_CLI_CMD_APPLY_H

#include "cli/args.h"
#include "cli/cmd.h"

enum cmd_exit cmd_apply_run(const struct args *args);

#endif
