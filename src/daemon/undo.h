// SPDX-License-Identifier: MIT
/*
 * The method Restore of io.qmpin: threads get the masks they had before qmpind touched
 * them, and their VM is left alone until somebody applies it by hand or its QEMU ends.
 * The record keeps that, so a restart of the daemon changes nothing.
 */
#ifndef QMPIN_DAEMON_UNDO_H
#define QMPIN_DAEMON_UNDO_H

#include <jansson.h>
#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"

/* What is told of such a VM. */
#define UNDO_NOTE "restored by hand: left alone until qmpin apply or its next start"

struct ctl_call;
struct engine;
struct vm;

/** A call of the method; @owner is the engine. */
void undo_on_call(void *owner, struct ctl_call *call, const json_t *params);

/** It was restored, and is left alone. */
bool undo_holds(const struct vm *vm);

/** Somebody wants it placed after all. Returns 0, or a negative errno with @e when that
 * could not be noted: then it is still left alone. */
MUST_CHECK int undo_end(const struct engine *e, struct vm *vm, struct err *err);

#endif
