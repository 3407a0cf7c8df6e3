// SPDX-License-Identifier: MIT
/* Not written yet. */
#include "config.h"

#include "ctl/latency.h"
