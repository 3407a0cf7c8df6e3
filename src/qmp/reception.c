// SPDX-License-Identifier: MIT
/* The socket that QEMUs dial, and those whom nobody has claimed yet. */
#include "config.h"

#include "qmp/reception.h"
