// SPDX-License-Identifier: MIT
/*
 * First contact with a host that already runs VMs: they are taken over a few a minute
 * (adopt = gradual) or at once (adopt = now). VMs with a record, and those that start
 * later, do not wait.
 */
#ifndef QMPIN_DAEMON_ADOPT_H
#define QMPIN_DAEMON_ADOPT_H

#include <stdbool.h>

struct engine;
struct vm;

/** Create the engine's adoption timer. */
void adopt_start(struct engine *e);

/** The VM waits for its turn: nothing may be done to it. One that would not be moved
 * anyway does not wait, but does when its mode changes. */
bool adopt_waits(const struct engine *e, const struct vm *vm);

/** A surveyed VM that ran before us asks for its turn; may let it through at once. */
void adopt_ask(struct engine *e, struct vm *vm);

#endif
