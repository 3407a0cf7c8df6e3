// SPDX-License-Identifier: MIT
/*
 * Reading and setting the CPU mask of one proven thread.
 */
#ifndef QMPIN_ACT_AFFINITY_H
#define QMPIN_ACT_AFFINITY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "topo/cpuset.h"

/* A thread that was proven to belong to a VM. pidfd is borrowed. */
struct thread_ref {
	int procfd; /* open directory of /proc */
	int pidfd;  /* of the process */
	pid_t pid;
	pid_t tid;
	uint64_t start_ticks; /* of the thread */
	/* Start time of @t's tid as thread of @t's process, as /proc has it now (see
	 * task_stat_read). Returns 0, -ESRCH (no such thread there) or another errno.
	 */
	int (*start_ticks_now)(const struct thread_ref *t, uint64_t *out);
};

/**
 * The mask the kernel has for a thread: online CPUs only; may be empty when the thread
 * sleeps and its CPUs are offline.
 *
 * Returns 0, -ESRCH or another errno; -ERANGE when a CPU is at or above CPUSET_CAP.
 */
MUST_CHECK int affinity_read(pid_t tid, struct cpuset *out);

/** The CPUs the kernel has online now. Returns 0 or a negative errno. */
MUST_CHECK int affinity_online(struct cpuset *out);
/** Those it could have, and has not. The same errors. */
MUST_CHECK int affinity_offline(struct cpuset *out);

/** @got is what the kernel shows of a thread that was set to @want: a CPU that is
 * offline is not read back; any other difference is somebody's. */
bool affinity_is_kept(const struct cpuset *want, const struct cpuset *got);

/**
 * Set and verify: process alive -> start time -> set -> read back mask and start time
 * -> process alive. When the thread proves to be another one afterwards, the mask it
 * had is put back. Where the id passed on between the last look and the set that mask
 * was never seen: then it is the one the thread was made with, its main thread's or
 * parent's.
 *
 * @had  the mask before; may be NULL; written on success and after a revert
 *
 * Returns 0, -ESRCH (process or thread ended, or the id is another thread's), -EPERM,
 * -EINVAL (no CPU of @want is online and allowed by the cpuset), -EAGAIN (the kernel
 * kept another mask: a cgroup cpuset is narrower, or somebody set it at the same time)
 * or -ESTALE (after the set the thread proved to be another one, or could not be
 * proven: reverted). A CPU of @want that is offline is not missed when it is not read
 * back.
 */
MUST_CHECK int affinity_apply(
	const struct thread_ref *t, const struct cpuset *want, struct cpuset *had);

#endif
