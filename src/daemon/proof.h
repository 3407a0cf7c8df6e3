// SPDX-License-Identifier: MIT
/* What proves a thread to act/affinity: its start time in /proc. */
#ifndef QMPIN_DAEMON_PROOF_H
#define QMPIN_DAEMON_PROOF_H

#include <stdint.h>

#include "act/affinity.h"
#include "base/attr.h"

/** For thread_ref.start_ticks_now. */
MUST_CHECK int proof_start_ticks(const struct thread_ref *t, uint64_t *out);

#endif
