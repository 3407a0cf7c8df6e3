// SPDX-License-Identifier: MIT
/*
 * The running service: what it opens, the signals it obeys, what it tells systemd.
 */
#ifndef QMPIN_DAEMON_SERVICE_H
#define QMPIN_DAEMON_SERVICE_H

#include "base/attr.h"
#include "daemon/cmdline.h"

#define SERVICE_FAILED 1
#define SERVICE_USAGE 2
#define SERVICE_BAD_CONFIG 78 /* EX_CONFIG of sysexits.h */

/** Run until a signal ends it. Returns the exit status; has logged what failed. */
MUST_CHECK int service_run(const struct cmdline *c);

#endif
