// SPDX-License-Identifier: MIT
/* What a forked child must put off before it is a process of its own. */
#ifndef QMPIN_QMP_GUARD_PROCESS_H
#define QMPIN_QMP_GUARD_PROCESS_H

#include "base/attr.h"

/**
 * Put off all that was inherited: signal handlers (to be called with all signals
 * blocked), descriptors but two, terminal, working directory.
 *
 * @name  of the process, up to 15 characters
 * @a     kept; the number may change. It is not negative.
 * @b     the same; may be negative
 *
 * Returns 0 or a negative errno: the child is to end.
 */
MUST_CHECK int guard_process_detach(const char *name, int *a, int *b);

#endif
