// SPDX-License-Identifier: MIT
/* Who has asked for something by the control socket, in the words of the log. */
#ifndef QMPIN_DAEMON_ASKER_H
#define QMPIN_DAEMON_ASKER_H

#include <stddef.h>

#include "base/attr.h"

struct ctl_call;
struct ctl_peer;
struct engine;

/* Room for the longest text. */
#define ASKER_MAX 320u

/**
 * "uid 0 pid 123 (qmpin)"; without the name where the process has ended.
 *
 * @procfd  open directory of /proc
 *
 * Returns @buf.
 */
const char *asker_text(int procfd, const struct ctl_peer *peer, char *buf, size_t size);

/** Log "WHAT: asked by WHO". */
void asker_log(const struct engine *e, const struct ctl_call *call, int priority,
	const char *fmt, ...) PRINTF_LIKE(4, 5);

#endif
