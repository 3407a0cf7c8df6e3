// SPDX-License-Identifier: MIT
/* qmpin heatmap */
#ifndef QMPIN_CLI_CMD_HEATMAP_H
#define QMPIN_CLI_CMD_HEATMAP_H

#include "cli/cmd.h"

enum cmd_exit cmd_heatmap_run(const struct args *args);

#endif
