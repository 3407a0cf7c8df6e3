// SPDX-License-Identifier: MIT
/* How a thread holds on to its CPU: mask, priority, and whether it was disturbed. */
#ifndef QMPIN_PROBE_GRIP_H
#define QMPIN_PROBE_GRIP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "topo/cpuset.h"

/** The CPUs a thread may use (0: the calling one). Returns 0 or a negative errno. */
MUST_CHECK int grip_allowed(pid_t tid, struct cpuset *out);

/** Bind a thread to these CPUs (0: the calling one). Returns 0 or a negative errno;
 * -EINVAL: none of them is online and allowed. */
MUST_CHECK int grip_bind(pid_t tid, const struct cpuset *cpus);

/** Sleeps of the calling thread end when they should, not up to 50 us later. */
void grip_wake_promptly(void);

/**
 * Make the calling thread a real-time one of the lowest priority, or an ordinary one
 * again. Returns 0 or a negative errno (-EPERM).
 */
MUST_CHECK int grip_realtime(bool on);

/** How often the calling thread has lost its CPU, or given it away, so far. */
uint64_t grip_switches(void);

/** CPU time of the calling thread, microseconds. */
uint64_t grip_cpu_us(void);

#endif
