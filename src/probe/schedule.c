// SPDX-License-Identifier: MIT
/* Not written yet. */
#include "config.h"

#include "probe/schedule.h"
