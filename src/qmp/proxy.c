// SPDX-License-Identifier: MIT
/* Clients and QEMU's session on libevent; what is said is the mux's. */
#include "config.h"

#include "qmp/proxy.h"
