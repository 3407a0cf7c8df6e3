// SPDX-License-Identifier: MIT
/* Numbers for those who watch many hosts; nothing is counted here. */
#ifndef QMPIN_DAEMON_METERING_H
#define QMPIN_DAEMON_METERING_H

#include <jansson.h>

struct ctl_call;

/** Method GetMetrics; @owner is the engine. */
void metering_on_call(void *owner, struct ctl_call *call, const json_t *params);

#endif
