// SPDX-License-Identifier: MIT
/*
 * The continuous audit. For each VM: list its threads, compare the mask of each with
 * what is wanted. Names and start times are read only of new threads; the check of
 * identity comes with the set.
 */
#include "config.h"

#include "daemon/audit.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "act/affinity.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "daemon/engine.h"
#include "vm/task.h"
#include "vm/threads.h"

#define PASSING_US UINT64_C(2000000)
/* An interval has up to 16 slices, each of at least so many VMs. */
#define SLICES 16u
#define SLICE_MIN 32u

bool
audit_is_passing(const struct engine *e, const struct vm_task *t)
{
	return t->thread.class == THREAD_WORKER &&
	       !threads_is_lasting(t->thread.comm) &&
	       clock_now_us(e->clock) - t->seen_us < PASSING_US;
}

/* A thread that was not there before. A pool worker is filed without asking QMP; what
 * it is otherwise only QMP can say. */
static void
see_new_thread(struct engine *e, struct vm *vm, pid_t tid)
{
	struct vm_task task = {0};
	struct task_stat stat;

	if (task_stat_read(e->procfd, vm->identity.pid, tid, &stat) < 0)
		return;
	if (!threads_is_helper(stat.comm)) {
		engine_kick(e, vm, CAUSE_THREADS);
		return;
	}
	task.thread = (struct vm_thread){.tid = tid,
		.start_ticks = stat.start_ticks,
		.class = THREAD_WORKER,
		.index = -1};
	str_escape(stat.comm, strlen(stat.comm), task.thread.comm,
		sizeof(task.thread.comm));
	task.limit = vm->record.limit;
	task.last_cpu = stat.last_cpu;
	task.seen_us = clock_now_us(e->clock);
	task.want = cpuset_and(&vm->emulator, &task.limit);
	task.wanted = !cpuset_empty(&task.want);
	vm_task_add(vm, &task);
	if (record_add(&vm->record, tid, stat.start_ticks, &task.limit))
		vm->record_dirty = true;
}

/* What a task's mask says: a cause, or -1 when it is as wanted (or nobody's business).
 */
static int
compare_mask(struct engine *e, struct vm_task *t)
{
	if (affinity_read(t->thread.tid, &t->have) < 0 || !t->wanted)
		return -1;
	if (affinity_is_kept(&t->want, &t->have)) {
		t->applied = true;
		return -1;
	}
	if (audit_is_passing(e, t))
		return -1;
	return t->applied ? CAUSE_DRIFT : CAUSE_WORKERS;
}

/* Drop what ended, also from the record; a vanished vCPU or iothread changes the plan.
 */
static void
drop_ended(struct engine *e, struct vm *vm, const pid_t *tids, size_t n)
{
	size_t kept = 0;
	bool matters = false;

	for (size_t i = 0; i < vm->n_tasks; i++) {
		if (!vm->tasks[i].ended) {
			vm->tasks[kept++] = vm->tasks[i];
			continue;
		}
		matters = matters || vm->tasks[i].thread.class != THREAD_WORKER;
	}
	if (kept < vm->n_tasks)
		(void)record_retain(&vm->record, tids, n);
	vm->n_tasks = kept;
	if (matters)
		engine_kick(e, vm, CAUSE_THREADS);
}

void
audit_threads(struct engine *e, struct vm *vm)
{
	auto_free pid_t *tids = NULL;
	ssize_t n = task_list_read(e->procfd, vm->identity.pid, &tids);

	if (n <= 0)
		return; /* it ended: its pidfd tells */
	for (size_t i = 0; i < vm->n_tasks; i++)
		vm->tasks[i].ended = true;
	for (ssize_t i = 0; i < n; i++) {
		struct vm_task *t = vm_task_find(vm, tids[i]);

		if (t == NULL)
			see_new_thread(e, vm, tids[i]);
		else
			t->ended = false;
	}
	drop_ended(e, vm, tids, (size_t)n);
}

/* Not when nothing is applied, and not while giving way to somebody else. */
static bool
may_repair(const struct engine *e, const struct vm *vm)
{
	return !e->dry_run && !vm->observe_only && vm->peace_until_us == 0 &&
	       vm->rest == 0;
}

static void
compare_masks(struct engine *e, struct vm *vm)
{
	cause_set found = 0;

	for (size_t i = 0; i < vm->n_tasks; i++) {
		int cause = compare_mask(e, &vm->tasks[i]);

		if (cause >= 0)
			found |= cause_bit((enum cause)cause);
	}
	if (found != 0 && may_repair(e, vm))
		engine_kick(e, vm, cause_first(found));
}

/* Giving way is over: one pass finds out how things are, and says so. */
static void
end_peace(const struct engine *e, struct vm *vm)
{
	if (vm->peace_until_us == 0 || clock_now_us(e->clock) < vm->peace_until_us)
		return;
	vm->peace_until_us = 0;
	vm->retry = true;
}

static void
audit_one(struct engine *e, struct vm *vm)
{
	if (!vm->proven)
		return;
	end_peace(e, vm);
	if (vm->rest > 0)
		vm->rest--;
	if (vm->rest == 0 && (!vm->surveyed || vm->retry)) {
		vm->retry = false;
		engine_kick(e, vm, CAUSE_RETRY);
		return;
	}
	if (!vm->surveyed)
		return;
	audit_threads(e, vm);
	compare_masks(e, vm);
	squeeze_look(e, vm);
}

static unsigned int
slice_count(const struct engine *e)
{
	size_t n = e->n_vms / SLICE_MIN;

	return n < 1 ? 1 : n > SLICES ? SLICES : (unsigned int)n;
}

static void
schedule(struct engine *e, unsigned int slices)
{
	unsigned int ms = e->config.audit_interval_ms / slices;
	struct timeval tv = {ms / 1000, (suseconds_t)(ms % 1000) * 1000};

	evtimer_add(e->audit, &tv);
}

static void
on_audit_tick(evutil_socket_t fd, short what, void *arg)
{
	struct engine *e = arg;
	unsigned int slices = slice_count(e);
	size_t quota = (e->n_vms + slices - 1) / slices;

	(void)fd;
	(void)what;
	if (e->on_audit != NULL && !e->on_audit(e->owner))
		quota = 0;
	for (size_t i = 0; i < quota && e->n_vms > 0; i++) {
		if (e->audit_next >= e->n_vms)
			e->audit_next = 0;
		audit_one(e, e->vms[e->audit_next++]);
	}
	squeeze_decide(e);
	schedule(e, slices);
}

void
audit_start(struct engine *e)
{
	e->audit = evtimer_new(e->base, on_audit_tick, e);
	schedule(e, 1);
}

void
audit_restart(struct engine *e)
{
	evtimer_del(e->audit);
	schedule(e, slice_count(e));
}
