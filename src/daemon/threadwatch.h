// SPDX-License-Identifier: MIT
/*
 * A quick look between audits: has a VM more or fewer threads than a moment ago?
 *
 * A plugged vCPU makes no event until the guest acknowledges it, and where the monitor
 * is not held (or is our own) nothing else tells that somebody plugged one. What it is
 * and what to do is the audit's; two changes that cancel each other out are left to its
 * next round.
 */
#ifndef QMPIN_DAEMON_THREADWATCH_H
#define QMPIN_DAEMON_THREADWATCH_H

#include <stddef.h>

struct engine;
struct vm;

/* How often a VM is looked at, where there are not too many. */
#define THREADWATCH_MS 200u

/** Create the engine's timer. */
void threadwatch_start(struct engine *e);

/** There is a VM: look from now on, until there is none. Nothing with e->look_ms 0. */
void threadwatch_wake(struct engine *e);

/** How many threads its process has, or had a moment ago; 0: that cannot be told. */
size_t threadwatch_count(const struct engine *e, struct vm *vm);

#endif
