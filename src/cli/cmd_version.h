// SPDX-License-Identifier: MIT
/* qmpin version */
#ifndef QMPIN_CLI_CMD_VERSION_H
#define QMPIN_CLI_CMD_VERSION_H

#include "cli/cmd.h"

enum cmd_exit cmd_version_run(const struct args *args);

#endif
