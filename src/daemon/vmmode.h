// SPDX-License-Identifier: MIT
/*
 * The mode of a VM, and the method SetMode of io.qmpin that sets one by hand. Such a
 * mode is stronger than any configuration and lasts until the VM's QEMU ends: it is in
 * the VM's record, so that restarts of the daemon change nothing. off and observe leave
 * the masks as they are, as they do in the configuration; restore gives masks back.
 *
 * The daemon has no right to write its own configuration, and needs none: a mode is
 * made permanent by who asks for it (conf/modefile.h), and is then only read.
 */
#ifndef QMPIN_DAEMON_VMMODE_H
#define QMPIN_DAEMON_VMMODE_H

#include <jansson.h>

#include "conf/settings.h"

struct ctl_call;
struct engine;
struct vm;

/** Mode of a VM, and where it comes from (@origin may be NULL). */
enum place_mode vmmode_of(
	const struct engine *e, const struct vm *vm, enum settings_origin *origin);

/** A call of the method; @owner is the engine. */
void vmmode_on_set(void *owner, struct ctl_call *call, const json_t *params);

#endif
