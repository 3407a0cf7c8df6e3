// SPDX-License-Identifier: MIT
/*
 * Who has a thread id at this moment, whatever process it is of.
 */
#ifndef QMPIN_ACT_OWNER_H
#define QMPIN_ACT_OWNER_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/attr.h"
#include "topo/cpuset.h"

struct owner {
	pid_t tid;
	pid_t pid;    /* its process */
	pid_t parent; /* of the process; 0: the kernel, or outside of this namespace */
};

/** Returns 0, -ESRCH (nobody) or another errno; @out written only on success. */
MUST_CHECK int owner_read(int procfd, pid_t tid, struct owner *out);

bool owner_is_same(const struct owner *a, const struct owner *b);

/**
 * The mask that a thread was most likely made with: its process's main thread's, for a
 * main thread its parent's.
 *
 * Returns as affinity_read.
 */
MUST_CHECK int owner_inherited(const struct owner *who, struct cpuset *out);

#endif
