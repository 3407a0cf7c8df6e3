// SPDX-License-Identifier: MIT
/*
 * The memory of the host's nodes, as the kernel counts it. Free is what nobody uses:
 * caches, the ZFS ARC among them, are not.
 */
#ifndef QMPIN_HOST_NODEMEM_H
#define QMPIN_HOST_NODEMEM_H

#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

struct nodemem {
	uint64_t total_kib;
	uint64_t free_kib;
};

/** Text of /sys/devices/system/node/nodeN/meminfo. Pure. Without MemFree all is free.
 * Returns 0 or -EINVAL; @out written only on success. */
MUST_CHECK int nodemem_parse(const char *text, struct nodemem *out);

/** Read it. @root: "" for this machine. Returns 0, -ENOENT (no such node, or one that
 * tells nothing), -EINVAL or another errno. */
MUST_CHECK int nodemem_read(const char *root, unsigned int node, struct nodemem *out);

#endif
