// SPDX-License-Identifier: MIT
/*
 * Which thread of a QEMU is what. Pure.
 *
 * The tasks are the truth; a claim only names one of them. One claim that does not fit
 * spoils the answer as a whole: what else would be wrong with it is not known.
 */
#include "config.h"

#include "vm/threads.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/xalloc.h"

/* A task and what QMP says it is; sorted by tid. */
struct slot {
	pid_t tid;
	const struct task_stat *task;
	const struct thread_claim *claim; /* NULL: none */
};

const char *thread_class_name(enum thread_class class)
{
	static const char *const names[THREAD_N_CLASSES] = {
		[THREAD_VCPU] = "vcpu",
		[THREAD_IOTHREAD] = "iothread",
		[THREAD_EMULATOR] = "emulator",
		[THREAD_VHOST] = "vhost",
		[THREAD_WORKER] = "worker",
		[THREAD_HELPER] = "helper",
	};

	assert(class < THREAD_N_CLASSES);
	return names[class];
}

/* Threads that QEMU and the kernel add beside vCPUs and iothreads; names as prefixes,
 * as the kernel cuts them to 15 characters. Sources: QEMU's qemu_thread_create() calls
 * from 7.2 to 11.1, KVM's kvm-nx-lpage-recovery, io_uring's io-wq.c and sqpoll.c. */
static const struct {
	const char *prefix;
	bool lasting; /* lives as long as the VM */
} helpers[] = {
	{"call_rcu", true},
	{"IO mon_iothread", true},
	{"SPICE Worker", true},
	{"vnc_worker", true},
	{"kvm-nx-lpage-re", true},
	{"iou-sqp-", true},
	{"worker", false},
	{"io-task-worker", false},
	{"iou-wrk-", false},
	{"live_migration", false},
	{"bg_snapshot", false},
	{"multifdsend", false},
	{"multifdrecv", false},
	{"return path", false},
	{"postcopy/", false},
	{"mig/", false},
};

bool
threads_is_helper(const char *comm)
{
	for (size_t i = 0; i < ARRAY_LEN(helpers); i++) {
		if (str_has_prefix(comm, helpers[i].prefix))
			return true;
	}
	return false;
}

bool
threads_is_lasting(const char *comm)
{
	for (size_t i = 0; i < ARRAY_LEN(helpers); i++) {
		if (str_has_prefix(comm, helpers[i].prefix))
			return helpers[i].lasting;
	}
	return false;
}

static int
compare_slots(const void *a, const void *b)
{
	const struct slot *x = a;
	const struct slot *y = b;

	return (x->tid > y->tid) - (x->tid < y->tid);
}

static struct slot *
find_slot(struct slot *slots, size_t n, pid_t tid)
{
	const struct slot key = {.tid = tid};

	if (n == 0)
		return NULL;
	return bsearch(&key, slots, n, sizeof(*slots), compare_slots);
}

/* Put the tasks in order; the main thread must be there and no tid twice. */
static int
fill_slots(pid_t pid, const struct task_stat *tasks, size_t n, struct slot *slots,
	struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		slots[i].tid = tasks[i].tid;
		slots[i].task = &tasks[i];
	}
	if (n > 0)
		qsort(slots, n, sizeof(*slots), compare_slots);
	for (size_t i = 1; i < n; i++) {
		if (slots[i].tid == slots[i - 1].tid)
			return err_set(e, -ESTALE, NULL, 0,
				"thread %d of process %d is listed twice",
				(int)slots[i].tid, (int)pid);
	}
	if (find_slot(slots, n, pid) == NULL)
		return err_set(e, -ESTALE, NULL, 0,
			"the threads of process %d lack its main thread", (int)pid);
	return 0;
}

static int
attach_claim(pid_t pid, struct slot *slots, size_t n, const struct thread_claim *claim,
	struct err *e)
{
	const char *what = thread_class_name(claim->class);
	struct slot *slot = find_slot(slots, n, claim->tid);

	assert(claim->class == THREAD_VCPU || claim->class == THREAD_IOTHREAD);
	if (slot == NULL)
		return err_set(e, -ESTALE, NULL, 0,
			"QMP names thread %d as %s %d, but process %d has no such thread",
			(int)claim->tid, what, claim->index, (int)pid);
	if (claim->tid == pid)
		return err_set(e, -ESTALE, NULL, 0,
			"QMP names the main thread %d as %s %d", (int)pid, what,
			claim->index);
	if (slot->claim != NULL)
		return err_set(e, -ESTALE, NULL, 0,
			"QMP names thread %d as %s %d and as %s %d", (int)claim->tid,
			thread_class_name(slot->claim->class), slot->claim->index, what,
			claim->index);
	slot->claim = claim;
	return 0;
}

static enum thread_class
class_of(pid_t pid, const struct slot *slot)
{
	char vhost[TASK_COMM_MAX];

	if (slot->claim != NULL)
		return slot->claim->class;
	if (slot->tid == pid)
		return THREAD_EMULATOR;
	(void)snprintf(vhost, sizeof(vhost), "vhost-%d", (int)pid);
	return str_equal(slot->task->comm, vhost) ? THREAD_VHOST : THREAD_WORKER;
}

struct vm_thread
threads_of_task(const struct task_stat *task, enum thread_class class, int index)
{
	struct vm_thread t = {
		.tid = task->tid,
		.start_ticks = task->start_ticks,
		.class = class,
		.index = index,
		.fixed = task_is_fixed(task),
	};

	str_escape(task->comm, strlen(task->comm), t.comm, sizeof(t.comm));
	return t;
}

int
threads_classify(pid_t pid, const struct task_stat *tasks, size_t n_tasks,
	const struct thread_claim *claims, size_t n_claims, struct vm_thread *out,
	struct err *e)
{
	auto_free struct slot *slots = xcalloc(n_tasks, sizeof(*slots));
	int r;

	r = fill_slots(pid, tasks, n_tasks, slots, e);
	for (size_t i = 0; r == 0 && i < n_claims; i++)
		r = attach_claim(pid, slots, n_tasks, &claims[i], e);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n_tasks; i++)
		out[i] = threads_of_task(slots[i].task, class_of(pid, &slots[i]),
			slots[i].claim != NULL ? slots[i].claim->index : -1);
	return 0;
}
