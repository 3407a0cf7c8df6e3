// SPDX-License-Identifier: MIT
/*
 * Directories that claim to be another machine's sysfs.
 */
#ifndef QMPIN_HOST_SYSROOT_H
#define QMPIN_HOST_SYSROOT_H

#include "base/attr.h"
#include "base/err.h"

/**
 * Check a tree before anybody reads it who would hang on a FIFO, swallow a huge file or
 * follow a link out of it into this machine's own sysfs.
 *
 * @dir   a directory with sys/devices/system/cpu in it
 * @real  its absolute path, new string, free() it; written only on success
 *
 * Returns 0, -ENOENT (no such tree in it), -EINVAL (this machine's own files; something
 * that is neither file nor directory; a link that leads out), -ERANGE (a file or the
 * tree is too large) or another errno; @e names the file.
 */
MUST_CHECK int sysroot_check(const char *dir, char **real, struct err *e);

#endif
