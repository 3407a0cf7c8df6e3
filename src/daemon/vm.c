// SPDX-License-Identifier: MIT
/* A VM as the daemon knows it: construction, states, its threads. */
#include "config.h"

#include "daemon/vm.h"

#include <assert.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "conf/settings.h"

_Static_assert(SETTINGS_ID_MAX == VM_ID_MAX, "every id has its section");

static const char *const state_names[VM_N_STATES] = {
	[VM_FOUND] = "found",
	[VM_CONNECTING] = "connecting",
	[VM_WATCHING] = "watching",
	[VM_YIELDED] = "yielded",
	[VM_PAUSED] = "paused",
	[VM_STALLED] = "stalled",
	[VM_GONE] = "gone",
};

/* At most 1 << RESTS_MAX audits: half a minute. */
#define RESTS_MAX 4u

/* Which states may follow which. */
#define TO(s) (1u << (s))
/* What a monitor of a living process may turn to. */
#define ANY                                                                     \
	(TO(VM_CONNECTING) | TO(VM_WATCHING) | TO(VM_YIELDED) | TO(VM_PAUSED) | \
		TO(VM_STALLED))
static const unsigned int legal[VM_N_STATES] = {
	/* straight to watching: a monitor that retries keeps its failed phase */
	[VM_FOUND] = ANY | TO(VM_GONE),
	[VM_CONNECTING] = ANY | TO(VM_FOUND) | TO(VM_GONE),
	[VM_WATCHING] = ANY | TO(VM_FOUND) | TO(VM_GONE),
	[VM_YIELDED] = ANY | TO(VM_FOUND) | TO(VM_GONE),
	[VM_PAUSED] = ANY | TO(VM_FOUND) | TO(VM_GONE),
	[VM_STALLED] = ANY | TO(VM_FOUND) | TO(VM_GONE),
	/* another process at its socket: until it is proven, no more is known */
	[VM_GONE] = TO(VM_CONNECTING) | TO(VM_YIELDED) | TO(VM_FOUND) | TO(VM_STALLED),
};
#undef ANY
#undef TO

struct vm *
vm_new(const char *id, int vmid, const char *socket_path, const char *pid_path)
{
	struct vm *vm = xcalloc(1, sizeof(*vm));

	str_copy(vm->id, sizeof(vm->id), id);
	vm->vmid = vmid;
	vm->socket_path = xstrdup(socket_path);
	vm->pid_path = xstrdup(pid_path);
	vm->identity.pidfd = -1;
	vm->task_dirfd = -1;
	vm->last_cause = -1;
	vm->clock = clock_system();
	return vm;
}

void
vm_rest(struct vm *vm)
{
	vm->rest = 1u << vm->rests;
	if (vm->rests < RESTS_MAX)
		vm->rests++;
}

void
vm_rested(struct vm *vm)
{
	vm->rest = vm->rests = 0;
}

void
vm_forget_process(struct vm *vm)
{
	if (vm->on_end != NULL)
		event_free(vm->on_end);
	vm->on_end = NULL;
	if (vm->task_dirfd >= 0)
		close(vm->task_dirfd);
	vm->task_dirfd = -1;
	if (vm->proven)
		identity_fini(&vm->identity);
	vm->identity = (struct vm_identity){.pidfd = -1};
	vm->proven = false;
	qmp_facts_fini(&vm->facts);
	memory_forget(&vm->memory);
	vm->has_facts = vm->facts_new = false;
	if (vm->has_record)
		record_fini(&vm->record);
	vm->has_record = vm->record_dirty = vm->touched = false;
	confine_forget(&vm->confine);
	vm->surveyed = false;
	vm->n_tasks = 0;
	vm->audited = (struct audited){0};
	kin_fini(&vm->kin);
	vm->causes = vm->delayed = vm->active = 0;
	vm->awaiting = vm->fresh = vm->looked = false;
	vm->preexisting = vm->foreign = vm->placed = vm->inherited = false;
	vm->overruled = false;
	vm->own = vm->own_known = false;
	vm->changed_us = 0;
	vm->domain = vm->told = vm->could = CPUSET_NONE;
	vm->retry = vm->observe_only = false;
	vm_rested(vm);
	vm->drift = (struct drifting){.found_us = 0};
	vm->gains = (struct budget){.taken_us = 0};
	vm->peace_until_us = 0;
	vm->emulator = CPUSET_NONE;
	vm->note[0] = vm->why[0] = vm->said[0] = '\0';
	history_clear(&vm->history);
	squeeze_fini(&vm->squeeze);
	wishes_forget_process(&vm->wishes);
	vm->repairs = 0;
	vm->last_move_us = 0;
	vm->last_cause = -1;
}

void
vm_free(struct vm *vm)
{
	if (vm == NULL)
		return;
	monitor_free(vm->monitor);
	vm_forget_process(vm);
	wishes_fini(&vm->wishes);
	free(vm->tasks);
	free(vm->socket_path);
	free(vm->pid_path);
	free(vm);
}

void
vm_set_state(struct vm *vm, enum vm_state state)
{
	if (vm->state == state)
		return;
	assert((legal[vm->state] & 1u << state) != 0);
	vm->state = state;
}

const char *
vm_state_name(enum vm_state state)
{
	return state_names[state];
}

static int
by_index(const void *a, const void *b)
{
	const struct vm_task *const *x = a;
	const struct vm_task *const *y = b;

	return ((*x)->thread.index > (*y)->thread.index) -
	       ((*x)->thread.index < (*y)->thread.index);
}

size_t
vm_vcpus(struct vm *vm, struct vm_task **out)
{
	size_t n = 0;

	for (size_t i = 0; i < vm->n_tasks; i++) {
		if (vm->tasks[i].thread.class == THREAD_VCPU)
			out[n++] = &vm->tasks[i];
	}
	qsort(out, n, sizeof(*out), by_index);
	return n;
}

/* Index of the first task whose tid is not below @tid. */
static size_t
lower_bound(const struct vm *vm, pid_t tid)
{
	size_t lo = 0;
	size_t hi = vm->n_tasks;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (vm->tasks[mid].thread.tid < tid)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

struct vm_task *
vm_task_find(struct vm *vm, pid_t tid)
{
	size_t i = lower_bound(vm, tid);

	if (i < vm->n_tasks && vm->tasks[i].thread.tid == tid)
		return &vm->tasks[i];
	return NULL;
}

const struct cpuset *
vm_task_limit(const struct vm *vm, const struct vm_task *task)
{
	const struct record_thread *known =
		record_find(&vm->record, task->thread.tid, task->thread.start_ticks);

	return known != NULL ? known->cpus : &vm->record.limit;
}

struct cpuset
vm_vcpu_limit(const struct vm *vm)
{
	struct cpuset all = CPUSET_NONE;

	for (size_t i = 0; i < vm->n_tasks; i++) {
		const struct vm_thread *t = &vm->tasks[i].thread;
		const struct record_thread *known =
			record_find(&vm->record, t->tid, t->start_ticks);

		if (t->class == THREAD_VCPU && known != NULL)
			all = cpuset_or(&all, known->cpus);
	}
	return cpuset_empty(&all) ? vm->record.limit : all;
}

struct vm_task *
vm_task_add(struct vm *vm, const struct vm_task *task)
{
	size_t i = lower_bound(vm, task->thread.tid);

	vm->tasks = xgrow(vm->tasks, vm->n_tasks, &vm->cap_tasks, sizeof(*vm->tasks));
	memmove(&vm->tasks[i + 1], &vm->tasks[i],
		(vm->n_tasks - i) * sizeof(*vm->tasks));
	vm->tasks[i] = *task;
	vm->n_tasks++;
	return &vm->tasks[i];
}

void
vm_task_remove(struct vm *vm, struct vm_task *task)
{
	size_t i = (size_t)(task - vm->tasks);

	vm->n_tasks--;
	memmove(task, task + 1, (vm->n_tasks - i) * sizeof(*task));
}

size_t
vm_own_tasks(const struct vm *vm)
{
	size_t n = 0;

	for (size_t i = 0; i < vm->n_tasks; i++)
		n += vm->tasks[i].pid == 0;
	return n;
}

struct cpuset
vm_vcpu_cpus(const struct vm *vm)
{
	struct cpuset all = CPUSET_NONE;

	for (size_t i = 0; i < vm->n_tasks; i++) {
		const struct vm_task *t = &vm->tasks[i];

		if (t->thread.class == THREAD_VCPU)
			all = cpuset_or(&all, t->wanted ? &t->want : &t->have);
	}
	return all;
}
