// SPDX-License-Identifier: MIT
/*
 * First contact with a host that already runs VMs: they are taken over a few a minute
 * (adopt = gradual) or at once (adopt = now). VMs with a record, and those that start
 * later, do not wait. What an earlier daemon has placed is adopted as it is.
 */
#ifndef QMPIN_DAEMON_ADOPT_H
#define QMPIN_DAEMON_ADOPT_H

#include <stdbool.h>
#include <stddef.h>

struct engine;
struct vm;

/* VMs that an earlier daemon had placed, and which were looked at since it was told. */
struct adopt_count {
	unsigned int kept;    /* no mask had to be set */
	unsigned int changed; /* some mask was not right */
};

/** Create the engine's adoption timer. */
void adopt_start(struct engine *e);

/** The VM waits for its turn: nothing may be done to it. One that would not be moved
 * anyway does not wait, but does when its mode changes; nor does one that nobody could
 * look at: it may never be, and others would wait with it. */
bool adopt_waits(const struct engine *e, const struct vm *vm);

/** A surveyed VM that ran before us asks for its turn; may let it through at once. */
void adopt_ask(struct engine *e, struct vm *vm);

/** The masks of a VM were looked at, and this many set: if an earlier daemon had placed
 * it, that is how it was found. */
void adopt_note(struct engine *e, struct vm *vm, size_t n_set);

/** A pass has run: say what was adopted. */
void adopt_tell(struct engine *e);

#endif
