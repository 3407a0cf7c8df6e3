// SPDX-License-Identifier: MIT
/*
 * Which host CPUs are online, looked at again and again: the kernel's file is the
 * truth, whatever event tells of it or does not.
 */
#ifndef QMPIN_DAEMON_HOSTWATCH_H
#define QMPIN_DAEMON_HOSTWATCH_H

#include <stdbool.h>

struct hostwatch;

/** Take a first look at @path (".../sys/devices/system/cpu/online"). Never NULL. */
struct hostwatch *hostwatch_new(const char *path);

/** Look again. Returns true when the text is another one than at the last look; a file
 * that cannot be read counts as unchanged. */
bool hostwatch_changed(struct hostwatch *w);

/** NULL is allowed. */
void hostwatch_free(struct hostwatch *w);

#endif
