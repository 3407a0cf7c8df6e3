// SPDX-License-Identifier: MIT
/*
 * The continuous audit: every VM once an interval, spread over it, so that drift and
 * new threads are found whatever was missed. Reads only; finding something kicks the
 * engine.
 */
#ifndef QMPIN_DAEMON_AUDIT_H
#define QMPIN_DAEMON_AUDIT_H

#include <stdbool.h>

struct engine;
struct vm;
struct vm_task;

/** Create the engine's audit timer. */
void audit_start(struct engine *e);
/** The interval may have changed. */
void audit_restart(struct engine *e);

/** File the threads of one VM that came or went since the last time; whatever else they
 * mean kicks the engine. Masks are not compared. */
void audit_threads(struct engine *e, struct vm *vm);

/** A worker of the passing kind, or a thread of a helper, seen less than two seconds
 * ago: it may be gone in a moment. vCPUs and iothreads never pass. */
bool audit_is_passing(const struct engine *e, const struct vm_task *t);

#endif
