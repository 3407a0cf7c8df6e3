// SPDX-License-Identifier: MIT
/* qmpin reload: the daemon reads its configuration again. */
#ifndef QMPIN_CLI_CMD_RELOAD_H
#define QMPIN_CLI_CMD_RELOAD_H

#include "cli/args.h"
#include "cli/cmd.h"

enum cmd_exit cmd_reload_run(const struct args *args);

#endif
