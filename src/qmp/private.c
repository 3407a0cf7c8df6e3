// SPDX-License-Identifier: MIT
/* The steps to a private monitor and back. Pure. */
#include "config.h"

#include "qmp/private.h"
