// SPDX-License-Identifier: MIT
/*
 * The host's topology from hwloc and the kernel's own files: this machine, a sysfs tree
 * or an XML file of lstopo from anywhere.
 */
#ifndef QMPIN_HOST_LOAD_H
#define QMPIN_HOST_LOAD_H

#include "base/attr.h"
#include "base/err.h"
#include "topo/model.h"

/**
 * Load a topology. Blocks for about 0.1 ms a CPU (several times that for a tree): hwloc
 * runs in a child process, see hwtree.h.
 *
 * @path  NULL: this machine; a directory with sys/devices/system in it; or an XML file.
 * @out   new object, free with topo_free; written only on success
 *
 * Returns 0, -ENOENT (no such path, or no topology in it), -EINVAL (hwloc refuses it,
 * or would silently describe this machine instead), -ERANGE (over a cap) or another
 * errno; @e names file and reason.
 */
MUST_CHECK int host_load(const char *path, struct topo **out, struct err *e);

#endif
