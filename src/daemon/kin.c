// SPDX-License-Identifier: MIT
/*
 * A VM's processes beside its QEMU: found, proven and watched by looking. Whoever has
 * left the scope, or shares it with another QEMU, is let go of: the mask stays, the
 * record keeps the one it had before.
 */
#include "config.h"

#include "daemon/kin.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "act/affinity.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "daemon/engine.h"
#include "daemon/survey.h"
#include "host/cgroup.h"
#include "vm/kinship.h"
#include "vm/task.h"

/* VMs without a scope share a look at the kernel's threads that is not older. */
#define LOOK_US UINT64_C(250000)

/* A VM without a scope is looked for in one with every so many looks. */
#define SCOPE_RESTS 15u

/* One look at one VM. */
struct look {
	struct engine *e;
	struct vm *vm;
	char scope[KINSHIP_SCOPE_MAX]; /* "": it has none of its own */
	size_t n;		       /* ascending, without its QEMU */
	pid_t *pids;
};

void
kin_host_init(struct kin_host *h)
{
	struct utsname name;

	*h = (struct kin_host){.looked = false};
	h->has_vhosts = uname(&name) == 0 && kinship_kernel_has_vhosts(name.release);
}

void
kin_host_fini(struct kin_host *h)
{
	kthreads_fini(&h->kthreads);
}

/* Index of the first one whose pid is not below @pid. */
static size_t
lower_bound(const struct kin *k, pid_t pid)
{
	size_t at = 0;

	while (at < k->n && k->list[at].process.pid < pid)
		at++;
	return at;
}

static struct kinsman *
find(const struct kin *k, pid_t pid)
{
	size_t at = lower_bound(k, pid);

	return at < k->n && k->list[at].process.pid == pid ? &k->list[at] : NULL;
}

static void
add(struct kin *k, const struct kinsman *man)
{
	size_t at = lower_bound(k, man->process.pid);

	k->list = xgrow(k->list, k->n, &k->cap, sizeof(*k->list));
	memmove(&k->list[at + 1], &k->list[at], (k->n - at) * sizeof(*k->list));
	k->list[at] = *man;
	k->n++;
}

static void
close_process(struct kinsman *man)
{
	if (!man->stranger)
		identity_fini(&man->process);
}

void
kin_fini(struct kin *k)
{
	for (size_t i = 0; i < k->n; i++)
		close_process(&k->list[i]);
	free(k->list);
	if (k->has_scope)
		close(k->scope_fd);
	*k = (struct kin){.n = 0};
}

/* The position of @pid in a look, or where it would be. */
static size_t
position_of(const struct look *l, pid_t pid)
{
	size_t at = 0;

	while (at < l->n && l->pids[at] < pid)
		at++;
	return at;
}

static bool
is_listed(const struct look *l, pid_t pid)
{
	size_t at = position_of(l, pid);

	return at < l->n && l->pids[at] == pid;
}

static void
close_scope(struct kin *k)
{
	if (k->has_scope)
		close(k->scope_fd);
	k->has_scope = false;
	k->rest = SCOPE_RESTS;
}

/* Whether there is a group to read. */
static int
open_scope(struct look *l)
{
	struct kin *k = &l->vm->kin;
	int fd;

	if (k->has_scope)
		return 0;
	if (l->e->cgroupfd < 0 || k->rest > 0) {
		k->rest -= k->rest > 0;
		return -ENOENT;
	}
	k->rest = SCOPE_RESTS;
	fd = cgroup_processes_open(l->e->cgroupfd, l->scope);
	if (fd < 0)
		return fd;
	k->scope_fd = fd;
	k->has_scope = true;
	return 0;
}

/* The processes of the VM's own scope; none where it has no such scope. */
static int
list_scope(struct look *l)
{
	struct kin *k = &l->vm->kin;
	pid_t qemu = l->vm->identity.pid;
	ssize_t n;
	size_t at;

	kinship_scope(l->vm->id, l->scope);
	n = open_scope(l);
	if (n == 0)
		n = cgroup_processes_reread(k->scope_fd, &l->pids);
	if (n < 0 && n != -ENOENT && n != -E2BIG)
		return (int)n;
	l->n = n > 0 ? (size_t)n : 0;
	if (n != -E2BIG && !is_listed(l, qemu))
		close_scope(k);
	if (!is_listed(l, qemu) || l->n > KINSHIP_PROCESSES_MAX + 1) {
		l->scope[0] = '\0';
		l->n = 0;
		return 0;
	}
	at = position_of(l, qemu);
	l->n--;
	memmove(&l->pids[at], &l->pids[at + 1], (l->n - at) * sizeof(*l->pids));
	return 0;
}

/* Its kernel threads, where it has no scope that they would be in. */
static int
list_kthreads(struct look *l)
{
	struct kin_host *h = &l->e->kin;
	uint64_t now = clock_now_us(l->e->clock);

	if (!h->has_vhosts)
		return 0;
	if (!h->looked || now - h->looked_us >= LOOK_US) {
		int r = kthreads_look(l->e->procfd, &h->kthreads);

		h->looked = true;
		h->looked_us = now;
		if (r < 0)
			return r == -ENOENT ? 0 : r;
	}
	free(l->pids);
	l->pids = xcalloc(KINSHIP_PROCESSES_MAX, sizeof(*l->pids));
	l->n = kthreads_of(
		&h->kthreads, l->vm->identity.pid, l->pids, KINSHIP_PROCESSES_MAX);
	if (l->n > KINSHIP_PROCESSES_MAX)
		l->n = 0;
	return 0;
}

static void
remove_tasks(struct vm *vm, pid_t pid, bool ended_only)
{
	for (size_t i = vm->n_tasks; i-- > 0;) {
		if (vm->tasks[i].pid == pid && (vm->tasks[i].ended || !ended_only))
			vm_task_remove(vm, &vm->tasks[i]);
	}
}

static void
let_go(struct vm *vm, size_t at)
{
	struct kin *k = &vm->kin;
	struct kinsman man = k->list[at];

	remove_tasks(vm, man.process.pid, false);
	if (vm->has_record && !man.stranger && identity_has_ended(&man.process))
		(void)record_retain_helper(&vm->record, man.process.pid, NULL, 0);
	close_process(&man);
	k->n--;
	memmove(&k->list[at], &k->list[at + 1], (k->n - at) * sizeof(*k->list));
}

static void
let_go_of_ended(struct look *l)
{
	struct kin *k = &l->vm->kin;

	for (size_t i = k->n; i-- > 0;) {
		const struct kinsman *man = &k->list[i];

		if (!is_listed(l, man->process.pid) ||
			(!man->stranger && identity_has_ended(&man->process)))
			let_go(l->vm, i);
	}
}

/* Some VM's QEMU, whatever its name. */
static bool
is_managed(const struct engine *e, pid_t pid)
{
	for (size_t i = 0; i < e->n_vms; i++) {
		if (e->vms[i]->identity.pid == pid)
			return true;
	}
	return false;
}

/* With the pidfd open: is it the process of that start time, and in the scope? */
static bool
holds(const struct look *l, const struct vm_identity *process, struct task_stat *stat)
{
	char group[CGROUP_PATH_MAX];
	int procfd = l->e->procfd;

	if (task_stat_read(procfd, process->pid, process->pid, stat) < 0 ||
		stat->start_ticks != process->start_ticks)
		return false;
	if (l->scope[0] != '\0' &&
		(cgroup_of_process(procfd, process->pid, group) < 0 ||
			!str_equal(group, l->scope)))
		return false;
	return !identity_has_ended(process);
}

/* What a process is that was not known; @man is new when it is kin. */
static enum kinship
judge(const struct look *l, const struct task_stat *qemu, pid_t pid,
	struct kinsman *man)
{
	enum kinship kinship = KINSHIP_NONE;
	struct task_stat stat;

	*man = (struct kinsman){.process.pidfd = -1};
	if (identity_of_process(l->e->procfd, pid, &man->process) < 0)
		return KINSHIP_NONE;
	if (holds(l, &man->process, &stat)) {
		kinship =
			is_managed(l->e, pid) ? KINSHIP_RIVAL : kinship_of(qemu, &stat);
		man->stranger = kinship == KINSHIP_NONE;
	}
	/* without a scope only the kernel's word counts */
	if (kinship == KINSHIP_HELPER && l->scope[0] == '\0')
		kinship = KINSHIP_NONE;
	man->class = kinship == KINSHIP_VHOST ? THREAD_VHOST : THREAD_HELPER;
	if (kinship == KINSHIP_HELPER || kinship == KINSHIP_VHOST)
		return kinship;
	identity_fini(&man->process);
	man->process.pid = pid;
	return kinship;
}

/* Returns false when another QEMU is there. */
static bool
admit(const struct look *l)
{
	struct vm *vm = l->vm;
	struct task_stat qemu;
	bool has_qemu = false;

	for (size_t i = 0; i < l->n; i++) {
		struct kinsman man;

		if (find(&vm->kin, l->pids[i]) != NULL)
			continue;
		if (!has_qemu && task_stat_read(l->e->procfd, vm->identity.pid,
					 vm->identity.pid, &qemu) < 0)
			return true; /* it has ended: its pidfd tells */
		has_qemu = true;
		switch (judge(l, &qemu, l->pids[i], &man)) {
		case KINSHIP_RIVAL:
			return false;
		case KINSHIP_NONE:
			if (man.stranger)
				add(&vm->kin, &man);
			break;
		default:
			add(&vm->kin, &man);
		}
	}
	return true;
}

struct cpuset
kin_limit(struct engine *e, struct vm *vm, const struct vm_task *t)
{
	const struct record_thread *known =
		record_find(&vm->record, t->thread.tid, t->thread.start_ticks);
	struct cpuset own;

	if (known != NULL)
		return *known->cpus;
	own = survey_as_limit(e, vm, t);
	for (size_t i = 0; vm->touched && i < vm->n_tasks; i++) {
		const struct vm_task *other = &vm->tasks[i];

		if (other->thread.tid != t->thread.tid &&
			cpuset_equal(&other->have, &t->have) &&
			!cpuset_equal(vm_task_limit(vm, other), &own))
			return vm->record.limit;
	}
	return own;
}

static void
add_thread(struct look *l, const struct kinsman *man, pid_t tid)
{
	struct vm *vm = l->vm;
	struct vm_task task = {.pid = man->process.pid};
	struct task_stat stat;

	if (task_stat_read(l->e->procfd, task.pid, tid, &stat) < 0 ||
		affinity_read(tid, &task.have) < 0)
		return;
	task.thread = threads_of_task(&stat, man->class, -1);
	task.last_cpu = stat.last_cpu;
	/* what was there before the VM was looked at has proven that it stays */
	task.seen_us = vm->surveyed ? clock_now_us(l->e->clock) : 0;
	if (vm->surveyed) {
		struct cpuset limit = kin_limit(l->e, vm, &task);

		task.want = cpuset_and(&vm->emulator, &limit);
		task.wanted = !cpuset_empty(&task.want) && !task.thread.fixed;
		if (record_add_helper(
			    &vm->record, task.pid, tid, stat.start_ticks, &limit))
			vm->record_dirty = true;
	}
	vm_task_add(vm, &task);
}

static void
look_at_threads(struct look *l, const struct kinsman *man)
{
	auto_free pid_t *tids = NULL;
	struct vm *vm = l->vm;
	pid_t pid = man->process.pid;
	ssize_t n = task_list_read(l->e->procfd, pid, &tids);

	if (n <= 0)
		return; /* it ended: the next look tells */
	for (size_t i = 0; i < vm->n_tasks; i++)
		vm->tasks[i].ended = vm->tasks[i].ended || vm->tasks[i].pid == pid;
	for (ssize_t i = 0; i < n; i++) {
		struct vm_task *t = vm_task_find(vm, tids[i]);

		if (t != NULL && t->pid == pid) {
			t->ended = false;
			continue;
		}
		if (t != NULL) /* another process had the id */
			vm_task_remove(vm, t);
		add_thread(l, man, tids[i]);
	}
	remove_tasks(vm, pid, true);
	if (vm->has_record)
		(void)record_retain_helper(&vm->record, pid, tids, (size_t)n);
}

void
kin_look(struct engine *e, struct vm *vm)
{
	struct look l = {.e = e, .vm = vm};
	int r = list_scope(&l);

	if (r == 0 && l.scope[0] == '\0')
		r = list_kthreads(&l);
	if (r == 0) {
		let_go_of_ended(&l);
		vm->kin.alone = admit(&l);
		if (!vm->kin.alone) {
			l.n = 0;
			let_go_of_ended(&l);
		}
		vm->kin.alone = vm->kin.alone && l.scope[0] != '\0';
		for (size_t i = 0; i < vm->kin.n; i++) {
			if (!vm->kin.list[i].stranger)
				look_at_threads(&l, &vm->kin.list[i]);
		}
	}
	free(l.pids);
}

void
kin_survey(struct engine *e, struct vm *vm)
{
	vm->kin.rest = 0;
	for (size_t i = vm->n_tasks; i-- > 0;) {
		struct vm_task *t = &vm->tasks[i];
		struct task_stat stat;

		if (t->pid == 0)
			continue;
		if (task_stat_read(e->procfd, t->pid, t->thread.tid, &stat) < 0 ||
			stat.start_ticks != t->thread.start_ticks ||
			affinity_read(t->thread.tid, &t->have) < 0)
			vm_task_remove(vm, &vm->tasks[i]);
		else {
			t->last_cpu = stat.last_cpu;
			/* a process may have been seen before it was what it is */
			str_escape(stat.comm, strlen(stat.comm), t->thread.comm,
				sizeof(t->thread.comm));
		}
	}
	kin_look(e, vm);
}

/* A thread of the record lives; what is left of an ended one says its start time too.
 */
static bool
lives(const struct engine *e, const struct record_thread *t)
{
	struct task_stat stat;

	return task_stat_read(e->procfd, t->pid, t->tid, &stat) == 0 &&
	       stat.start_ticks == t->start_ticks && stat.state != 'Z' &&
	       stat.state != 'X';
}

void
kin_check_record(struct engine *e, struct vm *vm)
{
	auto_free pid_t *pids = NULL;
	struct record *r = &vm->record;
	size_t n = record_helpers(r, &pids);

	for (size_t i = 0; i < n; i++) {
		auto_free pid_t *tids = xcalloc(r->n_threads, sizeof(*tids));
		size_t n_tids = 0;

		for (size_t k = 0; k < r->n_threads; k++) {
			if (r->threads[k].pid == pids[i] && lives(e, &r->threads[k]))
				tids[n_tids++] = r->threads[k].tid;
		}
		(void)record_retain_helper(r, pids[i], tids, n_tids);
	}
}

bool
kin_is_own(const struct kin *k, const char *id, const char *path)
{
	char scope[KINSHIP_SCOPE_MAX];

	kinship_scope(id, scope);
	return k->alone && str_equal(path, scope);
}

bool
kin_refer(const struct vm *vm, const struct vm_task *t, struct thread_ref *ref)
{
	const struct kinsman *man = find(&vm->kin, t->pid);

	if (man == NULL || man->stranger)
		return false;
	ref->pid = man->process.pid;
	ref->pidfd = man->process.pidfd;
	return true;
}
