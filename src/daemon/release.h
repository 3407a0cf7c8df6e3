// SPDX-License-Identifier: MIT
/*
 * The method Release of io.qmpin: take away what was added to QEMUs and hold their
 * monitors no longer, until each QEMU ends or the daemon does. Answers when all of them
 * have ended or RELEASE_MS have passed; a client that hangs up meanwhile changes
 * nothing.
 */
#ifndef QMPIN_DAEMON_RELEASE_H
#define QMPIN_DAEMON_RELEASE_H

#include <jansson.h>

#include "base/err.h"
#include "daemon/pending.h"

struct ctl_call;
struct engine;
struct vm;

/* A busy QEMU answers within 5 s (the deadline of a session); who is served before us
 * may take as long. The command line waits longer than this. */
#define RELEASE_MS 10000u

/** No call waits. */
struct pending_list release_none(void);

/** A call of the method; @owner is the engine. */
void release_on_call(void *owner, struct ctl_call *call, const json_t *params);

/**
 * The end of monitor_release(): to be called by the monitor's on_released.
 *
 * @err  0, or a negative errno with the reason in @why
 */
void release_ended(
	struct engine *e, const struct vm *vm, int err, const struct err *why);

/** @vm is about to be forgotten: its monitor tells nothing any more. */
void release_lost(struct engine *e, const struct vm *vm);

#endif
