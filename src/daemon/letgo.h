// SPDX-License-Identifier: MIT
/*
 * qmpind --release: what was added to QEMUs is taken away where no daemon runs, such as
 * when the package is removed. As Release of io.qmpin, but there is nothing to hold.
 */
#ifndef QMPIN_DAEMON_LETGO_H
#define QMPIN_DAEMON_LETGO_H

#include "base/attr.h"

struct cmdline;

/** Says on stdout what was released, on stderr what was not. Returns the exit status:
 * 0, 1 (failed, or a daemon runs) or 5 (partly done). */
MUST_CHECK int letgo_run(const struct cmdline *c);

#endif
