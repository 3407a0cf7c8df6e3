// SPDX-License-Identifier: MIT
/*
 * From sockets to VMs: discovery, one monitor a VM, the proof of who is behind it, its
 * end. Callbacks record what happened and kick the engine.
 */
#ifndef QMPIN_DAEMON_WATCH_H
#define QMPIN_DAEMON_WATCH_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"

struct engine;
struct watch;

/** Watch @vm_dir for monitor sockets. Never NULL; nothing is read before watch_start.
 */
struct watch *watch_new(struct engine *e, const char *vm_dir);
void watch_start(struct watch *w);

/** The socket in @run_dir (absolute) that QEMUs dial for a private monitor. Without it
 * there are none. Returns 0 or a negative errno. */
MUST_CHECK int watch_receive(struct watch *w, const char *run_dir, struct err *e);

/** The guard has died or a new one runs. */
void watch_guard_changed(struct watch *w);

/** The daemon will end: finish what others do through us. */
void watch_finish(struct watch *w);
bool watch_is_busy(const struct watch *w);
void watch_free(struct watch *w);

#endif
