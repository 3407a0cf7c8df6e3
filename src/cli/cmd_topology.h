// SPDX-License-Identifier: MIT
/* qmpin topology: the host and who sits where. */
#ifndef QMPIN_CLI_CMD_TOPOLOGY_H
#define QMPIN_CLI_CMD_TOPOLOGY_H

#include "cli/cmd.h"

enum cmd_exit cmd_topology_run(const struct args *args);

#endif
