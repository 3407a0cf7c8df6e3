// SPDX-License-Identifier: MIT
/* qmpin probe */
#ifndef QMPIN_CLI_CMD_PROBE_H
#define QMPIN_CLI_CMD_PROBE_H

#include "cli/cmd.h"

enum cmd_exit cmd_probe_run(const struct args *args);

#endif
