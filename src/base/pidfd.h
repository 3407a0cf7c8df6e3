// SPDX-License-Identifier: MIT
/* Processes held by a descriptor, whose numbers may be reused. */
#ifndef QMPIN_BASE_PIDFD_H
#define QMPIN_BASE_PIDFD_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/attr.h"

/** A descriptor of the process, closed on exec. Returns it or a negative errno: -ESRCH
 * (there is none), -EINVAL or -ENOENT (the number is a thread's), -EMFILE, ... */
MUST_CHECK int pidfd_of(pid_t pid);

/** The process has ended, even if nobody has waited for it yet; or that cannot be told.
 */
bool pidfd_has_ended(int pidfd);

#endif
