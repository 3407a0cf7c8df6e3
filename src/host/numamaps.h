// SPDX-License-Identifier: MIT
/*
 * Where the memory of one process is, as /proc/PID/numa_maps has it: anonymous, shared
 * and huge pages, no mapped files. Reading makes the kernel walk the page tables, 20 ms
 * for each GiB of small pages, so it is for small processes only.
 *
 * Source: the kernel's fs/proc/task_mmu.c, numa(7).
 */
#ifndef QMPIN_HOST_NUMAMAPS_H
#define QMPIN_HOST_NUMAMAPS_H

#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "host/cgroup.h"

/* Larger processes are not read. Huge pages of a pool do not count: they are walked in
 * no time. */
#define NUMAMAPS_RSS_MAX (UINT64_C(512) << 20)

#define NUMAMAPS_NODES_MAX 1024u

/**
 * Add up the text. Pure.
 *
 * @bytes  NUMAMAPS_NODES_MAX numbers; unspecified on failure
 *
 * Returns 0, -EINVAL or -ERANGE (a number that cannot be).
 */
MUST_CHECK int numamaps_add(const char *text, uint64_t *bytes, unsigned int *n_nodes);

/**
 * Read it, of a process that is small enough.
 *
 * @out  cgroup_memory_fini it; written only on success
 *
 * Returns 0, -ESRCH, -EFBIG (too large to be read), -EACCES (not permitted) or another
 * errno.
 */
MUST_CHECK int numamaps_read(int procfd, pid_t pid, struct cgroup_memory *out);

#endif
