// SPDX-License-Identifier: MIT
/*
 * qmpind --restore: masks given back by the records alone, where no daemon runs, such
 * as when the package is removed. The records then say that their VMs are to be left
 * alone, as after qmpin restore; with --forget, that nothing of them was ever touched.
 */
#ifndef QMPIN_DAEMON_OFFLINE_H
#define QMPIN_DAEMON_OFFLINE_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"

struct cmdline;

#define OFFLINE_FAILED 1
#define OFFLINE_PARTLY 5

/** Says on stdout what was restored, on stderr what was not. Returns the exit status:
 * 0, 1 (failed, or a daemon runs) or 5 (partly done). */
MUST_CHECK int offline_restore(const struct cmdline *c);

/* For other work without a daemon. */

/** Hold the lock of the run directory, so that no daemon starts meanwhile; @lock is -1
 * where there is no such directory. Returns 0, -EBUSY (a daemon runs) or another errno
 * with @e. */
MUST_CHECK int offline_lock(const struct cmdline *c, int *lock, struct err *e);

/** @which: ids of VMs between commas, or "all". */
bool offline_means(const char *which, const char *id);

/** An error on stderr, if it is set. */
void offline_say(const struct err *e);

/** The exit status when so many VMs were done, and so many were not. */
int offline_exit(unsigned int done, unsigned int failed);

#endif
