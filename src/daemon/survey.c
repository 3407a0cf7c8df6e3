// SPDX-License-Identifier: MIT
/*
 * What a VM's threads are and have. The recorded mask of a thread is its outer limit:
 * for threads that were there at first touch their own mask of that time, for later
 * ones the VM's, never a mask that qmpind set.
 */
#include "config.h"

#include "daemon/survey.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "act/affinity.h"
#include "base/log.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "daemon/engine.h"
#include "daemon/recall.h"
#include "daemon/takeover.h"
#include "vm/task.h"
#include "vm/taskmask.h"
#include "vm/threads.h"

/* Stat of every task; those that end meanwhile are left out. Returns the number. */
static ssize_t
read_tasks(int procfd, pid_t pid, struct task_stat **out)
{
	auto_free pid_t *tids = NULL;
	struct task_stat *stats;
	ssize_t n = task_list_read(procfd, pid, &tids);
	ssize_t got = 0;

	if (n < 0)
		return n;
	stats = xcalloc((size_t)n, sizeof(*stats));
	for (ssize_t i = 0; i < n; i++) {
		if (task_stat_read(procfd, pid, tids[i], &stats[got]) == 0)
			got++;
	}
	*out = stats;
	return got;
}

static size_t
make_claims(const struct qmp_facts *facts, struct thread_claim *claims)
{
	size_t n = 0;

	for (unsigned int i = 0; i < facts->n_vcpus; i++)
		claims[n++] = (struct thread_claim){
			facts->vcpus[i].tid, THREAD_VCPU, (int)facts->vcpus[i].index};
	for (unsigned int i = 0; i < facts->n_iothreads; i++)
		claims[n++] = (struct thread_claim){
			facts->iothreads[i].tid, THREAD_IOTHREAD, (int)i};
	return n;
}

/* One task as it is now, with what was known of the same thread before. */
static int
merge_task(struct engine *e, struct vm *vm, const struct vm_thread *thread,
	const struct task_stat *stat, struct vm_task *out)
{
	const struct vm_task *old = vm_task_find(vm, thread->tid);
	struct vm_task task = {.thread = *thread, .last_cpu = stat->last_cpu};

	task.seen_us = clock_now_us(e->clock);
	if (old != NULL && old->thread.start_ticks == thread->start_ticks) {
		task.seen_us = old->seen_us;
		if (old->thread.class == thread->class) {
			task.want = old->want;
			task.wanted = old->wanted;
			task.applied = old->applied;
		}
	}
	*out = task;
	return affinity_read(thread->tid, &out->have);
}

/* The last vCPU that QMP has named was started then. */
static uint64_t
last_vcpu_ticks(const struct vm_task *tasks, size_t n)
{
	uint64_t last = 0;

	for (size_t i = 0; i < n; i++) {
		const struct vm_thread *t = &tasks[i].thread;

		if (t->class == THREAD_VCPU && t->start_ticks > last)
			last = t->start_ticks;
	}
	return last;
}

/* A thread not seen before that may be anything: only QMP can say what it is. At first
 * sight all are new; then only one that is no older than the vCPUs that it has named
 * can be another vCPU, plugged since it was asked for them. */
static bool
has_newcomer(struct vm *vm, const struct vm_task *tasks, size_t n)
{
	bool first = vm->facts_new && !vm->surveyed;
	uint64_t named = first ? last_vcpu_ticks(tasks, n) : 0;

	for (size_t i = 0; i < n; i++) {
		const struct vm_thread *t = &tasks[i].thread;
		const struct vm_task *old = vm_task_find(vm, t->tid);

		if (t->class == THREAD_WORKER && !threads_is_helper(t->comm) &&
			t->start_ticks >= named &&
			(old == NULL || old->thread.start_ticks != t->start_ticks))
			return true;
	}
	return false;
}

/* The new table, with the tasks of other processes in the old one. */
static void
take_tasks(struct vm *vm, struct vm_task *tasks, size_t n, size_t cap)
{
	auto_free struct vm_task *old = vm->tasks;
	size_t n_old = vm->n_tasks;

	vm->tasks = tasks;
	vm->n_tasks = n;
	vm->cap_tasks = cap > 0 ? cap : 1;
	for (size_t i = 0; i < n_old; i++) {
		if (old[i].pid != 0 && vm_task_find(vm, old[i].thread.tid) == NULL)
			vm_task_add(vm, &old[i]);
	}
}

static int
replace_tasks(struct engine *e, struct vm *vm, const struct vm_thread *threads,
	const struct task_stat *stats, size_t n)
{
	struct vm_task *tasks = xcalloc(n, sizeof(*tasks));
	size_t kept = 0;
	int r;

	for (size_t i = 0; i < n; i++) {
		r = merge_task(e, vm, &threads[i], &stats[i], &tasks[kept]);
		if (r == 0)
			kept++;
		else if (r != -ESRCH) { /* ended since: not an error */
			free(tasks);
			return r;
		}
	}
	/* The audit will not take it for new: ask now, and also where QMP was asked
	 * just before: a vCPU has its thread before QEMU lists it. */
	if (has_newcomer(vm, tasks, kept))
		engine_kick(e, vm, CAUSE_THREADS);
	take_tasks(vm, tasks, kept, n);
	return 0;
}

/* It has all of @all, or lacks nothing but CPUs of isolcpus and has none of these. */
static bool
is_no_limit(const struct engine *e, const struct cpuset *have, const struct cpuset *all)
{
	const struct cpuset *isolcpus = &e->host.topo->isolcpus;
	struct cpuset lacks = cpuset_minus(all, have);

	return cpuset_empty(&lacks) ||
	       (!cpuset_overlap(have, isolcpus) && cpuset_within(&lacks, isolcpus));
}

/* A mask with the CPUs that were asked for and do not show since they are offline, or
 * (affinity: of its configuration, of which the mask is all there can be) since the
 * cpuset hides them, which takes offline CPUs from masks. */
static struct cpuset
with_hidden(const struct engine *e, const struct vm *vm, const struct vm_task *t,
	const struct cpuset *most)
{
	const struct cpuset *affinity = wishes_affinity(vm);
	pid_t pid = t->pid != 0 ? t->pid : vm->identity.pid;
	struct cpuset mask = t->have;
	struct cpuset asked;
	struct cpuset shown;

	if (taskmask_read(e->procfd, pid, t->thread.tid, &asked) == 0 &&
		cpuset_within(&mask, &asked))
		mask = asked;
	if (affinity == NULL)
		return mask;
	shown = cpuset_and(affinity, most);
	return cpuset_equal(&shown, &t->have) ? cpuset_or(&mask, affinity) : mask;
}

/* A mask of all CPUs means "no limit": CPUs that come online later count too, and those
 * that a cpuset does not leave it yet. The kernel shows no more of a mask than the
 * cpuset has; a wider one that hides behind it is taken for none. The topology may be
 * older than the mask, so the kernel has its say; in a dry run it may be another
 * host's, and the kernel alone knows. With isolcpus the kernel starts every process
 * without those CPUs: no limit either, but they stay out of what is given back. */
static struct cpuset
as_limit(const struct engine *e, const struct vm *vm, const struct cpuset *online,
	const struct vm_task *t)
{
	const struct cpuset *have = &t->have;
	const struct confine *by = &vm->confine;
	struct cpuset most = by->bounded ? cpuset_and(online, &by->cpus) : *online;
	struct cpuset known = by->bounded ? cpuset_and(&e->host.topo->online, &by->cpus)
					  : e->host.topo->online;
	struct cpuset lacks = cpuset_minus(&most, have);
	struct cpuset all = cpuset_below(CPUSET_CAP);

	if ((e->dry_run || is_no_limit(e, have, &known)) && !cpuset_empty(&most) &&
		is_no_limit(e, have, &most))
		return cpuset_minus(&all, &lacks);
	return with_hidden(e, vm, t, &most);
}

struct cpuset
survey_reach(const struct engine *e, const struct cpuset *limit)
{
	struct cpuset all = cpuset_below(CPUSET_CAP);
	struct cpuset lacks = cpuset_minus(&all, limit);

	return cpuset_within(&lacks, &e->host.topo->isolcpus) ? all : *limit;
}

static struct cpuset
read_online(void)
{
	struct cpuset online;

	if (affinity_online(&online) < 0) /* then no mask is known to be of all */
		online = cpuset_below(CPUSET_CAP);
	return online;
}

struct cpuset
survey_as_limit(const struct engine *e, const struct vm *vm, const struct vm_task *t)
{
	struct cpuset online = read_online();

	return as_limit(e, vm, &online, t);
}

/* The vCPUs had different masks before we came: somebody pinned them one by one. */
static bool
pinned_by_others(struct vm *vm)
{
	struct vm_task **vcpus = xcalloc(vm->n_tasks, sizeof(struct vm_task *));
	size_t n = vm_vcpus(vm, vcpus);
	bool differ = false;

	for (size_t i = 1; i < n; i++)
		differ = differ || !cpuset_equal(&vcpus[i]->have, &vcpus[0]->have);
	free(vcpus);
	return differ;
}

/* What is known of the VM itself stays; what the masks were is no matter. */
static void
first_touch(struct engine *e, struct vm *vm)
{
	struct record *r = &vm->record;
	struct cpuset online = read_online();
	struct record fresh = {
		.pid = vm->identity.pid, .start_ticks = vm->identity.start_ticks};

	if (vm->has_record) {
		fresh.has_mode = r->has_mode;
		fresh.mode = r->mode;
		fresh.wish = r->wish;
		fresh.untouched = r->untouched;
		record_fini(r);
	}
	*r = fresh;
	str_copy(r->id, sizeof(r->id), vm->id);
	for (size_t i = 0; i < vm->n_tasks; i++) {
		struct vm_task *t = &vm->tasks[i];
		struct cpuset limit = as_limit(e, vm, &online, t);

		record_add_helper(
			r, t->pid, t->thread.tid, t->thread.start_ticks, &limit);
		if (t->thread.class == THREAD_VCPU ||
			t->thread.class == THREAD_EMULATOR)
			r->limit = cpuset_or(&r->limit, &limit);
	}
	vm->foreign = !vm->overruled && pinned_by_others(vm);
	vm->record_dirty = true;
}

/* A record that says nothing: none, another boot's, or damaged beyond use. The rest,
 * such as too many open files, may be better at the next attempt. */
static bool
is_final(int r)
{
	return r == -ENOENT || r == -ESTALE || r == -EINVAL || r == -E2BIG ||
	       r == -EPERM;
}

/* Masks of it may be ours, though its record does not say that it was placed. */
static bool
was_cut_short(const struct engine *e, struct vm *vm)
{
	return vm->touched && !vm->record.restored && takeover_masks(e, vm);
}

/* The record of this process from the run directory. Returns 1 when there is one, 0
 * when not, or a negative errno when it cannot be told. */
static int
load_record(struct engine *e, struct vm *vm, struct err *err)
{
	struct record found = {0};
	struct err why = ERR_NONE;
	char text[512];
	int r = record_load(e->run_dirfd, vm->id, &found, &why);

	if (r < 0 && !is_final(r))
		return err_set(err, r, why.source, why.line, "%s", why.text);
	if (r < 0 && r != -ENOENT && r != -ESTALE)
		log_warning("vm %s: record of the masks before us ignored: %s", vm->id,
			err_format(&why, text, sizeof(text)));
	if (r < 0)
		return 0;
	if (found.pid != vm->identity.pid ||
		found.start_ticks != vm->identity.start_ticks) {
		record_fini(&found); /* of an earlier process of this id */
		return 0;
	}
	vm->record = found;
	vm->has_record = true;
	vm->touched = !found.untouched;
	vm->placed = vm->inherited = found.placed || was_cut_short(e, vm);
	vm->preexisting = vm->preexisting && found.untouched;
	recall_take(e, vm);
	kin_check_record(e, vm);
	squeeze_recall(e, vm);
	return 1;
}

static void
keep_limit(struct vm *vm, const struct vm_task *t, const struct cpuset *limit)
{
	if (record_add_helper(
		    &vm->record, t->pid, t->thread.tid, t->thread.start_ticks, limit))
		vm->record_dirty = true;
}

/* Limits from the record; the record then holds exactly the threads that live. */
static void
fill_limits(struct engine *e, struct vm *vm)
{
	auto_free pid_t *tids = xcalloc(vm->n_tasks, sizeof(*tids));
	struct record *r = &vm->record;
	struct cpuset late = vm_vcpu_limit(vm); /* of a vCPU plugged since */
	size_t n = 0;

	for (size_t i = 0; i < vm->n_tasks; i++) {
		struct vm_task *t = &vm->tasks[i];
		bool is_vcpu = t->thread.class == THREAD_VCPU;
		const struct record_thread *known =
			record_find(r, t->thread.tid, t->thread.start_ticks);

		if (t->pid != 0)
			continue;
		tids[n++] = t->thread.tid;
		keep_limit(vm, t,
			known != NULL ? known->cpus
			: is_vcpu     ? &late
				      : &r->limit);
	}
	(void)record_retain(r, tids, n);
	/* compared with QEMU's, so they come behind */
	for (size_t i = 0; i < vm->n_tasks; i++) {
		struct vm_task *t = &vm->tasks[i];
		struct cpuset limit;

		if (t->pid == 0)
			continue;
		limit = kin_limit(e, vm, t);
		keep_limit(vm, t, &limit);
	}
}

static int
classify(struct engine *e, struct vm *vm, struct err *err)
{
	auto_free struct task_stat *stats = NULL;
	auto_free struct vm_thread *threads = NULL;
	auto_free struct thread_claim *claims = NULL;
	ssize_t n = read_tasks(e->procfd, vm->identity.pid, &stats);
	size_t n_claims;
	int r;

	if (n < 0)
		return err_set(err, (int)n, NULL, 0, "cannot read its threads: %s",
			strerror((int)-n));
	threads = xcalloc((size_t)n, sizeof(*threads));
	claims = xcalloc(vm->facts.n_vcpus + vm->facts.n_iothreads, sizeof(*claims));
	n_claims = make_claims(&vm->facts, claims);
	r = threads_classify(
		vm->identity.pid, stats, (size_t)n, claims, n_claims, threads, err);
	if (r < 0)
		return r;
	r = replace_tasks(e, vm, threads, stats, (size_t)n);
	if (r < 0)
		return err_set(err, r, NULL, 0, "cannot read a thread's mask: %s",
			strerror(-r));
	kin_survey(e, vm);
	return 0;
}

int
survey_vm(struct engine *e, struct vm *vm, struct err *err)
{
	bool facts_new = vm->facts_new;
	int r = classify(e, vm, err);

	vm->facts_new = false;
	if (r == -ESTALE && !facts_new) {
		engine_kick(e, vm, CAUSE_THREADS);
		return -EAGAIN;
	}
	if (r < 0)
		return r;
	confine_find(&vm->confine, e->cgroupfd, e->procfd, vm->identity.pid);
	if (!vm->has_record)
		r = load_record(e, vm, err);
	if (r < 0)
		return r;
	if (!vm->touched) /* nothing is ours yet: what it has now is what it may have */
		first_touch(e, vm);
	vm->has_record = true;
	fill_limits(e, vm);
	vm->surveyed = true;
	return 0;
}

static bool
is_known(struct vm *vm, pid_t tid, enum thread_class class, int index)
{
	const struct vm_task *t = vm_task_find(vm, tid);

	return t != NULL && t->thread.class == class && t->thread.index == index;
}

bool
survey_holds(struct vm *vm)
{
	const struct qmp_facts *facts = &vm->facts;
	size_t n = 0;

	for (size_t i = 0; i < vm->n_tasks; i++) {
		enum thread_class class = vm->tasks[i].thread.class;

		n += class == THREAD_VCPU || class == THREAD_IOTHREAD;
	}
	if (n != (size_t)facts->n_vcpus + facts->n_iothreads)
		return false;
	for (unsigned int i = 0; i < facts->n_vcpus; i++) {
		if (!is_known(vm, facts->vcpus[i].tid, THREAD_VCPU,
			    (int)facts->vcpus[i].index))
			return false;
	}
	for (unsigned int i = 0; i < facts->n_iothreads; i++) {
		if (!is_known(vm, facts->iothreads[i].tid, THREAD_IOTHREAD, (int)i))
			return false;
	}
	return true;
}
