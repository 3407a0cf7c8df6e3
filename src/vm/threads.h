// SPDX-License-Identifier: MIT
/*
 * Which thread of a QEMU is what. QMP's word on thread ids counts only for threads that
 * /proc lists for this very process. Pure.
 */
#ifndef QMPIN_VM_THREADS_H
#define QMPIN_VM_THREADS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/err.h"
#include "vm/task.h"

enum thread_class {
	THREAD_VCPU,
	THREAD_IOTHREAD,
	THREAD_EMULATOR, /* the main thread */
	THREAD_VHOST,	 /* vhost-PID: a task of QEMU, before Linux 6.4 of the kernel */
	THREAD_WORKER,	 /* everything else */
	THREAD_HELPER,	 /* of another process of the VM, see vm/kinship.h */
	THREAD_N_CLASSES
};

struct vm_thread {
	pid_t tid;
	uint64_t start_ticks;
	enum thread_class class;
	int index;  /* cpu-index or iothread number, -1 for other classes */
	bool fixed; /* as task_is_fixed: nothing is to be wanted of it */
	char comm[TASK_COMM_MAX]; /* escaped */
};

/* What QMP says a thread is. */
struct thread_claim {
	pid_t tid;
	enum thread_class class; /* THREAD_VCPU or THREAD_IOTHREAD */
	int index;
};

/** As in io.qmpin: "vcpu", "iothread", "emulator", "vhost", "worker", "helper". */
const char *thread_class_name(enum thread_class class);

/** A task whose class is known. @index as in vm_thread. */
struct vm_thread threads_of_task(
	const struct task_stat *task, enum thread_class class, int index);

/**
 * The name is one of QEMU's or the kernel's helpers (pool workers, io_uring's workers,
 * migration, VNC, RCU): such a thread is a worker without asking QMP. A vCPU or
 * iothread never has one of these names.
 *
 * @comm  as in task_stat
 */
bool threads_is_helper(const char *comm);

/** A helper that stays as long as the VM; the others may be gone in a moment. */
bool threads_is_lasting(const char *comm);

/**
 * Sort a process's tasks into classes.
 *
 * @pid     the QEMU
 * @tasks   n_tasks of them, as read from /proc/PID/task
 * @claims  n_claims thread ids named by QMP
 * @out     n_tasks entries, ascending tid; written only on success
 *
 * Returns 0 or -ESTALE: a claim names a thread that is not of this process, a thread
 * twice, or the main thread as vCPU; @e says which. Nothing may be pinned then: the
 * caller observes again.
 */
MUST_CHECK int threads_classify(pid_t pid, const struct task_stat *tasks,
	size_t n_tasks, const struct thread_claim *claims, size_t n_claims,
	struct vm_thread *out, struct err *e);

#endif
