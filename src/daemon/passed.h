// SPDX-License-Identifier: MIT
/*
 * NUMA nodes of the devices that a VM has of the host's. Its configuration names them,
 * but for mappings, and knows those that were plugged while it ran; the command line of
 * its QEMU names all that it was started with, also where there is no configuration.
 */
#ifndef QMPIN_DAEMON_PASSED_H
#define QMPIN_DAEMON_PASSED_H

#include <sys/types.h>

#include "pve/vmconf.h"
#include "topo/cpuset.h"

/** Nodes (kernel ids) of what a configuration names. @root: as pcidev.h's. */
struct cpuset passed_by_config(const char *root, const struct vmconf *conf);

/** The same of a QEMU's command line; none when that cannot be read. */
struct cpuset passed_by_process(const char *root, int procfd, pid_t pid);

#endif
