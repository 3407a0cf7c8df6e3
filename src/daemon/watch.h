// SPDX-License-Identifier: MIT
/*
 * From sockets to VMs: discovery, one monitor a VM, the proof of who is behind it, its
 * end. Callbacks record what happened and kick the engine.
 */
#ifndef QMPIN_DAEMON_WATCH_H
#define QMPIN_DAEMON_WATCH_H

struct engine;
struct watch;

/** Watch @vm_dir for monitor sockets. Never NULL; nothing is read before watch_start.
 */
struct watch *watch_new(struct engine *e, const char *vm_dir);
void watch_start(struct watch *w);
void watch_free(struct watch *w);

#endif
