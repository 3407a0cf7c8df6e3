// SPDX-License-Identifier: MIT
/*
 * qmpind --restore: masks given back by the records alone, where no daemon runs, such
 * as when the package is removed. The records then say that their VMs are to be left
 * alone, as after qmpin restore.
 */
#ifndef QMPIN_DAEMON_OFFLINE_H
#define QMPIN_DAEMON_OFFLINE_H

#include "base/attr.h"

struct cmdline;

/** Says on stdout what was restored, on stderr what was not. Returns the exit status:
 * 0, 1 (failed, or a daemon runs) or 5 (partly done). */
MUST_CHECK int offline_restore(const struct cmdline *c);

#endif
