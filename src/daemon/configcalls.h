// SPDX-License-Identifier: MIT
/* The methods GetConfig and Reload of io.qmpin. */
#ifndef QMPIN_DAEMON_CONFIGCALLS_H
#define QMPIN_DAEMON_CONFIGCALLS_H

#include <jansson.h>

struct ctl_call;

/** Calls of the methods; @owner is the engine. */
void configcalls_on_get(void *owner, struct ctl_call *call, const json_t *params);
void configcalls_on_reload(void *owner, struct ctl_call *call, const json_t *params);

#endif
