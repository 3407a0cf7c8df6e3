// SPDX-License-Identifier: MIT
/* qmpin doctor: what is wrong with host, daemon and VMs, and what to do about it. */
#ifndef QMPIN_CLI_CMD_DOCTOR_H
#define QMPIN_CLI_CMD_DOCTOR_H

#include "cli/cmd.h"

enum cmd_exit cmd_doctor_run(const struct args *args);

#endif
