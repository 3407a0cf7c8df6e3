// SPDX-License-Identifier: MIT
/* The host's groups of CPUs, as plans see them now. */
#ifndef QMPIN_DAEMON_TOPOCALLS_H
#define QMPIN_DAEMON_TOPOCALLS_H

#include <jansson.h>

struct ctl_call;

/** Method GetTopology; @owner is the engine. */
void topocalls_on_call(void *owner, struct ctl_call *call, const json_t *params);

#endif
