// SPDX-License-Identifier: MIT
/*
 * How long a thread has run, and how long it could have run and waited for a CPU.
 *
 * Source: the kernel's Documentation/scheduler/sched-stats,
 * /proc/PID/task/TID/schedstat.
 */
#ifndef QMPIN_VM_SCHEDSTAT_H
#define QMPIN_VM_SCHEDSTAT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"

/* Since the thread began. A wait counts when it ends. */
struct schedstat {
	uint64_t run_ns;
	uint64_t wait_ns;
	uint64_t slices; /* times it was given a CPU */
};

/**
 * Read the text of a schedstat file. Pure.
 *
 * Returns 0, -ENODATA (a kernel that does not count: all is 0) or -EINVAL; @out written
 * only on success.
 */
MUST_CHECK int schedstat_parse(const char *text, size_t len, struct schedstat *out);

/**
 * Of a thread.
 *
 * @dirfd  open directory: /proc with @dir "PID/task/", or /proc/PID/task with ""
 *
 * Returns 0, -ESRCH (not there), -ENODATA (the kernel does not say), -EINVAL or another
 * errno.
 */
MUST_CHECK int schedstat_read(
	int dirfd, const char *dir, pid_t tid, struct schedstat *out);

/** CPU time of all threads of a process, also of those that ended: a tenth of the price
 * of one file. Returns 0 or -ESRCH. */
MUST_CHECK int schedstat_process_ns(pid_t pid, uint64_t *out);

#endif
