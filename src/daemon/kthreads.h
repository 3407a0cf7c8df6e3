// SPDX-License-Identifier: MIT
/*
 * Kernel threads of vhost, for kernels before Linux 6.4 and VMs without a scope of
 * their own: found among the children of kthreadd. A look is one file; names are read
 * of new threads only.
 */
#ifndef QMPIN_DAEMON_KTHREADS_H
#define QMPIN_DAEMON_KTHREADS_H

#include <stddef.h>
#include <sys/types.h>

#include "base/attr.h"

/* One that was named "vhost-OWNER" when it was first seen. */
struct kthread {
	pid_t pid;
	pid_t owner; /* 0: another kind of thread, -1: has no name yet */
};

/* Zero-initialised it is empty. */
struct kthreads {
	size_t n; /* ascending pid */
	struct kthread *all;
};

/**
 * Look again.
 *
 * @procfd  open directory of /proc
 *
 * Returns 0, -ENOENT (kthreadd is not to be seen, or the kernel was built without
 * CONFIG_PROC_CHILDREN) or another errno; nothing is changed then.
 */
MUST_CHECK int kthreads_look(int procfd, struct kthreads *k);

/** Those of an owner, ascending; @out has room for @cap. Returns how many there are,
 * which may be more. */
size_t kthreads_of(const struct kthreads *k, pid_t owner, pid_t *out, size_t cap);

void kthreads_fini(struct kthreads *k);

#endif
