// SPDX-License-Identifier: MIT
/* The measurement kept in STATE_DIR: files of probe/cache.h's format. */
#ifndef QMPIN_PROBE_CACHEFILE_H
#define QMPIN_PROBE_CACHEFILE_H

#include "base/attr.h"
#include "base/err.h"
#include "probe/cache.h"

/**
 * Read DIR/NAME. Refused are files of others than root or us, files that others may
 * write, and what is not a regular file.
 *
 * Returns 0, -ENOENT, -EINVAL (see cache_parse), -EPERM or another errno, with @e.
 */
MUST_CHECK int cachefile_load(
	int dirfd, const char *name, struct cache *out, struct err *e);

/**
 * Write DIR/latency-FINGERPRINT: whole or not at all; on failure nothing is left over
 * and the old file is as it was. Does not wait for the disk, nor for another writer.
 *
 * Returns 0, -EBUSY (another process is writing), -EINVAL (no fingerprint) or another
 * errno, with @e.
 */
MUST_CHECK int cachefile_save(int dirfd, const struct cache *c, struct err *e);

#endif
