// SPDX-License-Identifier: MIT
/* How many clients wait at a socket, asked of the kernel by sock_diag. */
#include "config.h"

#include "qmp/backlog.h"
