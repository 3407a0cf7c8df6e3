// SPDX-License-Identifier: MIT
/* QEMU's listening socket found among its descriptors, and duplicated. */
#include "config.h"

#include "qmp/listener.h"
