// SPDX-License-Identifier: MIT
/* Not written yet. */
#include "config.h"

#include "cli/latsource.h"
