// SPDX-License-Identifier: MIT
/*
 * Looks through the configurations of Proxmox VMs for others that pin threads. They are
 * in a file system that may hang for ever, and so may a hookscript's: a child reads
 * them, and is left behind when it is not done in time.
 */
#ifndef QMPIN_CLI_PVESCAN_H
#define QMPIN_CLI_PVESCAN_H

#include "base/checks.h"
#include "cli/apart.h"

#define PVESCAN_DEADLINE_MS 5000

/**
 * Add lines about "pinners" to @out: who else pins threads; none where there is no
 * /etc/pve.
 *
 * @root    "" for this machine
 * @reader  pvescan_read
 */
void pvescan_run(
	const char *root, apart_reader *reader, int deadline_ms, struct checks *out);

void pvescan_read(const char *root, int fd);

#endif
