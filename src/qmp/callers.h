// SPDX-License-Identifier: MIT
/* All clients of a mux, and whose turn it is. Pure. */
#ifndef QMPIN_QMP_CALLERS_H
#define QMPIN_QMP_CALLERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "qmp/caller.h"

/* Zero-initialise. */
struct callers {
	struct caller **all;
	size_t n;
	size_t cap;
	size_t turn; /* of whom it is next, if it has a command */
};

struct caller *callers_add(struct callers *cs, bool own, void *owner);
void callers_remove(
	struct callers *cs, struct caller *c, struct caller_discards *discards);

/** Nobody may be left. */
void callers_fini(struct callers *cs);

/** See caller_advance(), caller_tell_event(), caller_deadline_us(). */
void callers_advance(struct callers *cs, uint64_t now_us);
void callers_tell_event(struct callers *cs, struct frame_span event);
uint64_t callers_deadline_us(const struct callers *cs);

/** The next one in turn that is ready, NULL: none. Its turn is over with this. */
struct caller *callers_next(struct callers *cs);

/** One that is dropped or done; NULL: none. */
struct caller *callers_departed(const struct callers *cs);

/** Somebody else than we is there. */
bool callers_are_there(const struct callers *cs);

/** One has a command that is not sent, or may have. */
bool callers_are_waiting(const struct callers *cs);

/** All have taken what they were to be told. */
bool callers_have_taken_all(const struct callers *cs);

#endif
