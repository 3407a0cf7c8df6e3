// SPDX-License-Identifier: MIT
/*
 * The methods Probe and GetLatency of io.qmpin. Callers with the same wish share one
 * measurement; when the last of them has gone, it ends.
 */
#ifndef QMPIN_DAEMON_PROBECALLS_H
#define QMPIN_DAEMON_PROBECALLS_H

#include <jansson.h>

struct ctl_call;

/** Calls of the methods; @owner is the engine. */
void probecalls_on_probe(void *owner, struct ctl_call *call, const json_t *params);
void probecalls_on_latency(void *owner, struct ctl_call *call, const json_t *params);

#endif
