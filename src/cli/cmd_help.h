// SPDX-License-Identifier: MIT
/* qmpin help */
#ifndef QMPIN_CLI_CMD_HELP_H
#define QMPIN_CLI_CMD_HELP_H

#include "cli/cmd.h"

/** All commands, or the one of that name; CMD_USAGE with a message: there is none. */
enum cmd_exit cmd_help_show(const char *name);

enum cmd_exit cmd_help_run(const struct args *args);

#endif
