// SPDX-License-Identifier: MIT
/* qmpin latency */
#ifndef QMPIN_CLI_CMD_LATENCY_H
#define QMPIN_CLI_CMD_LATENCY_H

#include "cli/cmd.h"

enum cmd_exit cmd_latency_run(const struct args *args);

#endif
