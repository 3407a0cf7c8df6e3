// SPDX-License-Identifier: MIT
/* The daemon's side of the guard: the child, its pipe, its rebirth. */
#include "config.h"

#include "qmp/guard.h"
