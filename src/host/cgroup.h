// SPDX-License-Identifier: MIT
/*
 * What the unified cgroup hierarchy (version 2) says of the processes of one group.
 * Files that are missing because a controller is off are "unknown", not an error. Reads
 * only.
 *
 * Source: the kernel's admin-guide/cgroup-v2. Groups are named by their path in the
 * hierarchy, as /proc/PID/cgroup has it: "/qemu.slice/103.scope"; "/" is the root.
 */
#ifndef QMPIN_HOST_CGROUP_H
#define QMPIN_HOST_CGROUP_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/err.h"
#include "topo/cpuset.h"

#define CGROUP_PATH_MAX 1024u /* longer ones are unknown */
#define CGROUP_CHILDREN_MAX 16384u

/* Memory of a group by kernel id of the node. */
struct cgroup_memory {
	unsigned int n_nodes; /* highest known id and one */
	uint64_t *bytes;
};

/**
 * Open the unified hierarchy.
 *
 * @root  "" for this machine, else a directory with sys/fs/cgroup in it
 *
 * Returns a descriptor, -ENODATA (none is mounted there; @e stays unset) or another
 * errno.
 */
MUST_CHECK int cgroup_open(const char *root, struct err *e);

/**
 * The group of a process.
 *
 * Returns 0, -ESRCH (ended), -ENODATA (in none that can be named from here), -E2BIG or
 * another errno; @path written only on success.
 */
MUST_CHECK int cgroup_of_process(int procfd, pid_t pid, char path[CGROUP_PATH_MAX]);

/**
 * The CPUs that processes of a group may use: cpuset.cpus.effective of it or, where the
 * controller is not on for it, of the nearest group above that has it.
 *
 * Returns 0, -ENODATA (unknown), -ENOENT (no such group) or another errno.
 */
MUST_CHECK int cgroup_cpus(int cgroupfd, const char *path, struct cpuset *out);

/** CPU quota in CPUs: the least cpu.max of the group and of those above. 0: none.
 * Returns as cgroup_cpus. */
MUST_CHECK int cgroup_quota(int cgroupfd, const char *path, double *out_cpus);

/** CPU time used since the group was made (usage_usec of cpu.stat, which is there
 * without the controller too). Returns as cgroup_cpus. */
MUST_CHECK int cgroup_used_us(int cgroupfd, const char *path, uint64_t *out);

/**
 * Where the memory of a group is: anonymous, shared (memfd, shmem) and huge pages; no
 * page cache. Of what its processes had when they were in another group nothing is
 * known.
 *
 * @out  cgroup_memory_fini it; written only on success
 *
 * Returns as cgroup_cpus.
 */
MUST_CHECK int cgroup_memory(int cgroupfd, const char *path, struct cgroup_memory *out);
void cgroup_memory_fini(struct cgroup_memory *m);

/**
 * Processes of a small group itself, not of those below; ascending. Kernel threads that
 * were put there are among them.
 *
 * @pids  new array, free() it; written only on success
 *
 * Returns the number, -ENOENT, -E2BIG (some 100 processes or more) or another errno.
 */
MUST_CHECK ssize_t cgroup_processes(int cgroupfd, const char *path, pid_t **pids);

/**
 * The same of a group that is looked at again and again: its file stays open, and
 * each look is one system call. The file is of that very group, whoever gets its path
 * later.
 *
 * open returns a descriptor, -ENOENT or another errno; reread as cgroup_processes, with
 * -ENOENT when the group was removed.
 */
MUST_CHECK int cgroup_processes_open(int cgroupfd, const char *path);
MUST_CHECK ssize_t cgroup_processes_reread(int fd, pid_t **pids);

/**
 * Paths of the groups right below, in no order.
 *
 * @paths  new array of new strings; written only on success
 *
 * Returns the number, -ENOENT, -E2BIG or another errno.
 */
MUST_CHECK ssize_t cgroup_children(int cgroupfd, const char *path, char ***paths);

#endif
