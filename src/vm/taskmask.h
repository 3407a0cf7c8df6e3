// SPDX-License-Identifier: MIT
/*
 * The CPUs that somebody asked for a thread, with those that are offline, which
 * sched_getaffinity leaves out. A cpuset's change may take them away all the same.
 *
 * Source: proc(5), Cpus_allowed_list of /proc/PID/task/TID/status; measured on Linux
 * 6.1 and 6.12.
 */
#ifndef QMPIN_VM_TASKMASK_H
#define QMPIN_VM_TASKMASK_H

#include <stddef.h>
#include <sys/types.h>

#include "base/attr.h"
#include "topo/cpuset.h"

/**
 * Read the text of a status file. Pure.
 *
 * Returns 0, -EINVAL (no such line, or not a list) or -ERANGE (a CPU at or above
 * CPUSET_CAP); @out written only on success.
 */
MUST_CHECK int taskmask_parse(const char *text, size_t len, struct cpuset *out);

/**
 * @procfd  open directory of /proc
 *
 * Returns 0, -ESRCH (not there: ended or not of that process), the errors of
 * taskmask_parse or another errno.
 */
MUST_CHECK int taskmask_read(int procfd, pid_t pid, pid_t tid, struct cpuset *out);

#endif
