// SPDX-License-Identifier: MIT
/*
 * Masks given back: each thread of a VM's process gets what its record says, threads
 * that are not in it what the VM had; of its helpers those that are in it. Every thread
 * is proven before and after, as in act/affinity.
 */
#ifndef QMPIN_DAEMON_GIVEBACK_H
#define QMPIN_DAEMON_GIVEBACK_H

#include <sys/types.h>

#include "act/record.h"
#include "base/attr.h"
#include "topo/cpuset.h"

/* One thread whose mask was another one. r: 0 it has its mask again, else the errno of
 * affinity_apply. */
struct giveback_step {
	pid_t tid;
	struct cpuset from;
	struct cpuset to; /* what the kernel makes of it: online CPUs */
	int r;
};

typedef void giveback_handler(void *arg, const struct giveback_step *step);

/**
 * Give back the masks of all threads of a record's processes. A cgroup cpuset that is
 * narrower than a mask is nobody's fault: that thread has its mask within it.
 *
 * @pidfd   of record->pid; the caller has proven that it is that process
 * @handle  called for each thread whose mask was another one
 *
 * Returns 0, -ESRCH (the process ended) or another errno; threads that failed are the
 * handler's to count.
 */
MUST_CHECK int giveback_process(int procfd, int pidfd, const struct record *record,
	giveback_handler *handle, void *arg);

#endif
