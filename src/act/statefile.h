// SPDX-License-Identifier: MIT
/*
 * Small private files of ours in a directory of ours: replaced as a whole, read only
 * when nobody else can have written them.
 */
#ifndef QMPIN_ACT_STATEFILE_H
#define QMPIN_ACT_STATEFILE_H

#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"

/**
 * Make the file hold @text: a reader sees the old text or the new one, whatever happens
 * in between. Mode 0600. Not synced: it need not outlive the boot.
 *
 * @temp  name of a file beside it that nothing else uses
 *
 * Returns 0 or a negative errno; then the file is as before.
 */
MUST_CHECK int statefile_replace(int dirfd, const char *name, const char *temp,
	const char *text, size_t len, struct err *e);

/**
 * Read a regular file owned by our own uid and not writable by others; symbolic links
 * are not followed.
 *
 * @text  new, terminated, free() it; written only on success, as is @len
 *
 * Returns 0, -ENOENT (no such file; @e stays unset), -EPERM (owner or mode), -EINVAL
 * (no regular file), -E2BIG (over @max bytes) or another errno.
 */
MUST_CHECK int statefile_read(int dirfd, const char *name, size_t max, char **text,
	size_t *len, struct err *e);

#endif
