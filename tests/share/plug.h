// SPDX-License-Identifier: MIT
/*
 * CPU hotplug as Proxmox does it: device_add by the human monitor's command, then
 * query-cpus-fast, each in a connection of its own, until the vCPU shows.
 */
#ifndef QMPIN_TESTS_SHARE_PLUG_H
#define QMPIN_TESTS_SHARE_PLUG_H

#include "client.h"
#include "tally.h"

/**
 * Plug one vCPU, and look at its mask until it has one CPU.
 *
 * @pin_ms  how long to look; 0: not at all
 * @plug    times and names; the caller sets its socket
 *
 * Returns 0 or -1 with @c's why.
 */
MUST_CHECK int plug_one(struct client *c, const char *path, unsigned int pin_ms,
	struct tally_plug *plug);

#endif
