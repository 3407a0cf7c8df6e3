// SPDX-License-Identifier: MIT
/*
 * What proves that a process beside a QEMU belongs to its VM. Pure: what is judged was
 * read by the caller from the cgroup hierarchy and /proc.
 *
 * A process is a VM's helper (swtpm, virtiofsd) when
 *  - it is in the group /qemu.slice/ID.scope of the unified hierarchy itself, ID being
 *    the VM's, where Proxmox VE starts QEMU and what serves it; no other place is a
 *    VM's own: not a session's scope, a slice, a service or the root;
 *  - the VM's QEMU is in that very group too;
 *  - no other QEMU is: such a group is nobody's, and all in it are left alone;
 *  - it is no kernel thread.
 * A kernel thread is a VM's (vhost before Linux 6.4) when its name is "vhost-" and the
 * pid of the VM's QEMU, and it is not older than that.
 */
#ifndef QMPIN_VM_KINSHIP_H
#define QMPIN_VM_KINSHIP_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/attr.h"
#include "vm/task.h"

/* A VM has a handful of helpers. A group with more is something else. */
#define KINSHIP_PROCESSES_MAX 64u

#define KINSHIP_SCOPE_MAX 128u /* holds the scope of any VM's id */

enum kinship {
	KINSHIP_NONE, /* a kernel thread that serves something else */
	KINSHIP_HELPER,
	KINSHIP_VHOST,
	KINSHIP_RIVAL, /* another QEMU */
};

/** Path of the group that is VM @id's own. */
void kinship_scope(const char *id, char out[KINSHIP_SCOPE_MAX]);

/**
 * What a process of that group is.
 *
 * @qemu   the VM's QEMU, which is in the group
 * @other  another process there, by its main thread
 */
enum kinship kinship_of(const struct task_stat *qemu, const struct task_stat *other);

/**
 * The pid in the name of a vhost kernel thread: the process that it works for, or did,
 * since the id may be another's by now.
 *
 * Returns 0 where @thread is no such thread.
 */
pid_t kinship_vhost_of(const struct task_stat *thread);

/** Kernels of this release ("6.1.0-18-amd64") make kernel threads for vhost. */
bool kinship_kernel_has_vhosts(const char *release);

#endif
