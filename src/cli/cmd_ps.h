// SPDX-License-Identifier: MIT
/* qmpin ps */
#ifndef QMPIN_CLI_CMD_PS_H
#define QMPIN_CLI_CMD_PS_H

#include "cli/cmd.h"

enum cmd_exit cmd_ps_run(const struct args *args);

#endif
