// SPDX-License-Identifier: MIT
/*
 * Whether something is mounted at a place, by the kernel's list: what is mounted there
 * is not asked, so that one that hangs does not hold us up.
 */
#ifndef QMPIN_HOST_MOUNTS_H
#define QMPIN_HOST_MOUNTS_H

#include <stdbool.h>

/** @path is a mount point of this process; false, too, where that cannot be told.
 *
 * @path  as the kernel names it: absolute, without symbolic links
 */
bool mounts_has(const char *path);

/** The same by the text of a mountinfo. Pure. */
bool mounts_listed(const char *text, const char *path);

#endif
