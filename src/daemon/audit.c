// SPDX-License-Identifier: MIT
/*
 * The continuous audit. For each VM: list its threads, compare the mask of each with
 * what is wanted. Names and start times are read only of new threads; the check of
 * identity comes with the set. The list is most of the work: it is read when the number
 * of threads has changed or one of them has ended, and now and then.
 */
#include "config.h"

#include "daemon/audit.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>

#include "act/affinity.h"
#include "base/xalloc.h"
#include "daemon/engine.h"
#include "daemon/threadwatch.h"
#include "daemon/memory.h"
#include "vm/task.h"
#include "vm/threads.h"

#define PASSING_US UINT64_C(2000000)
/* An interval has up to 16 slices, each of at least so many VMs. */
#define SLICES 16u
#define SLICE_MIN 32u
/* A thread for another one, and the id of the one that went is a stranger's by now:
 * that is found with the list, which is read at every 16th audit at least. */
#define LIST_EVERY 16u
/* Among many VMs each one's cgroup is read at every 4th audit: what changes for all of
 * a slice is found with the first, and what takes CPUs away shows in the masks. */
#define CGROUP_EVERY 4u
#define CGROUP_EVERY_FROM 64u

bool
audit_is_passing(const struct engine *e, const struct vm_task *t)
{
	enum thread_class class = t->thread.class;

	return ((class == THREAD_WORKER && !threads_is_lasting(t->thread.comm)) ||
		       class == THREAD_HELPER) &&
	       clock_now_us(e->clock) - t->seen_us < PASSING_US;
}

/* A thread that was not there before. A pool worker is filed without asking QMP; what
 * it is otherwise only QMP can say: returns false. */
static bool
see_new_thread(struct engine *e, struct vm *vm, pid_t tid)
{
	struct vm_task task = {0};
	struct task_stat stat;

	if (task_stat_read(e->procfd, vm->identity.pid, tid, &stat) < 0)
		return false;
	if (!threads_is_helper(stat.comm)) {
		engine_kick(e, vm, CAUSE_THREADS);
		return false;
	}
	task.thread = threads_of_task(&stat, THREAD_WORKER, -1);
	task.last_cpu = stat.last_cpu;
	task.seen_us = clock_now_us(e->clock);
	task.want = cpuset_and(&vm->emulator, &vm->record.limit);
	task.wanted = !cpuset_empty(&task.want) && !task.thread.fixed;
	vm_task_add(vm, &task);
	if (record_add(&vm->record, tid, stat.start_ticks, &vm->record.limit))
		vm->record_dirty = true;
	return true;
}

/* What a task's mask says: a cause, or -1 when it is as wanted (or nobody's business);
 * and whether it has ended. */
static int
compare_mask(struct engine *e, struct vm_task *t)
{
	int r = affinity_read(t->thread.tid, &t->have);

	t->ended = r == -ESRCH;
	if (r < 0 || !t->wanted)
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
	bool all_known = true;

	if (n <= 0)
		return; /* it ended: its pidfd tells */
	for (size_t i = 0; i < vm->n_tasks; i++)
		vm->tasks[i].ended = vm->tasks[i].pid == 0;
	for (ssize_t i = 0; i < n; i++) {
		struct vm_task *t = vm_task_find(vm, tids[i]);

		if (t != NULL && t->pid != 0) {
			vm_task_remove(vm, t); /* that process has ended */
			t = NULL;
		}
		if (t != NULL)
			t->ended = false;
		else if (!see_new_thread(e, vm, tids[i]))
			all_known = false;
	}
	vm->audited.n_threads = all_known ? (size_t)n : 0;
	drop_ended(e, vm, tids, (size_t)n);
}

/* What is not done at each audit is done to different VMs at each. */
static unsigned int
turn_of(const struct vm *vm)
{
	return vm->audited.n + (unsigned int)vm->identity.pid;
}

/* Nobody can have come or gone unseen since the list was read. */
static bool
is_listed(const struct engine *e, struct vm *vm)
{
	return turn_of(vm) % LIST_EVERY != 0 && vm->audited.n_threads > 0 &&
	       threadwatch_count(e, vm) == vm->audited.n_threads;
}

/* Not when nothing is applied, and not while giving way to somebody else. */
static bool
may_repair(const struct engine *e, const struct vm *vm)
{
	return !e->dry_run && !vm->observe_only && vm->peace_until_us == 0 &&
	       vm->rest == 0;
}

/* Returns what was found. */
static cause_set
compare_masks(struct engine *e, struct vm *vm, bool *all_there)
{
	cause_set found = 0;

	*all_there = true;
	for (size_t i = 0; i < vm->n_tasks; i++) {
		int cause = compare_mask(e, &vm->tasks[i]);

		if (cause >= 0)
			found |= cause_bit((enum cause)cause);
		*all_there = *all_there && !vm->tasks[i].ended;
	}
	return found;
}

/* A cpuset is mostly that of a slice: what has changed for one VM has for others, and
 * one plan should know of all. Returns true when something has. */
static bool
look_at_cgroup(struct engine *e, struct vm *vm)
{
	if (!confine_look(&vm->confine, e->cgroupfd))
		return false;
	engine_kick(e, vm, CAUSE_CGROUP);
	for (size_t i = 0; i < e->n_vms; i++) {
		struct vm *other = e->vms[i];

		if (other->surveyed && confine_look(&other->confine, e->cgroupfd))
			engine_kick(e, other, CAUSE_CGROUP);
	}
	return true;
}

/* Masks and what bounds them. */
static void
audit_masks(struct engine *e, struct vm *vm)
{
	bool due = e->n_vms < CGROUP_EVERY_FROM || turn_of(vm) % CGROUP_EVERY == 0;
	cause_set found;
	bool all_there;

	if (due && look_at_cgroup(e, vm))
		return;
	found = compare_masks(e, vm, &all_there);
	if (found != 0 && !due && look_at_cgroup(e, vm))
		return;
	if (found != 0 && may_repair(e, vm))
		engine_kick(e, vm, cause_first(found));
	if (!all_there)
		audit_threads(e, vm);
	squeeze_look(e, vm);
}

static void
audit_one(struct engine *e, struct vm *vm)
{
	if (!vm->proven)
		return;
	drifting_try(e, vm);
	if (vm->rest > 0)
		vm->rest--;
	if (vm->rest == 0 && (!vm->surveyed || vm->retry)) {
		vm->retry = false;
		engine_kick(e, vm, CAUSE_RETRY);
		return;
	}
	/* the pass that goes on will set what it has not got to yet */
	if (!vm->surveyed || (vm->fresh && e->pass.phase != PASS_IDLE))
		return;
	if (!is_listed(e, vm))
		audit_threads(e, vm);
	kin_look(e, vm);
	audit_masks(e, vm);
	vm->audited.n++;
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
	struct timeval tv = clock_timeval_ms(ms);

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
	memory_turn(e, e->config.audit_interval_ms / slices);
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
