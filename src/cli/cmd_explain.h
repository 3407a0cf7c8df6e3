// SPDX-License-Identifier: MIT
/* qmpin explain: why a VM is where it is. */
#ifndef QMPIN_CLI_CMD_EXPLAIN_H
#define QMPIN_CLI_CMD_EXPLAIN_H

#include "cli/cmd.h"

enum cmd_exit cmd_explain_run(const struct args *args);

#endif
