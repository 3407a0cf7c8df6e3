// SPDX-License-Identifier: MIT
/*
 * Why a VM is where it is: a plan is made on demand, with reasons and without
 * consequences, and told together with the last decisions.
 */
#ifndef QMPIN_DAEMON_EXPLAINING_H
#define QMPIN_DAEMON_EXPLAINING_H

#include <jansson.h>

struct ctl_call;

/** Method Explain; @owner is the engine. */
void explaining_on_call(void *owner, struct ctl_call *call, const json_t *params);

#endif
