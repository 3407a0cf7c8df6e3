// SPDX-License-Identifier: MIT
/* qmpin release */
#ifndef QMPIN_CLI_CMD_RELEASE_H
#define QMPIN_CLI_CMD_RELEASE_H

#include "cli/cmd.h"

enum cmd_exit cmd_release_run(const struct args *args);

#endif
