// SPDX-License-Identifier: MIT
/* Masks given back, thread by thread. */
#include "config.h"

#include "daemon/giveback.h"

#include <errno.h>

#include "act/affinity.h"
#include "base/xalloc.h"
#include "daemon/proof.h"
#include "vm/identity.h"
#include "vm/task.h"
#include "vm/taskmask.h"

struct giveback {
	int procfd;
	const struct record *record;
	struct cpuset online;  /* all, where that cannot be read */
	struct cpuset offline; /* none, where that cannot be read */
	giveback_handler *handle;
	void *arg;
};

/* What a thread had. */
static struct cpuset
mask_before(const struct giveback *g, const struct task_stat *stat)
{
	const struct record_thread *known =
		record_find(g->record, stat->tid, stat->start_ticks);

	return known != NULL ? *known->cpus : g->record->limit;
}

/* The kernel stores what was asked for and shows what the cpuset leaves of it. */
static bool
is_within_cpuset(const struct giveback_step *step)
{
	struct cpuset now;

	return affinity_read(step->tid, &now) == 0 && !cpuset_empty(&now) &&
	       cpuset_within(&now, &step->to);
}

/* What it shows is right, but was asked for while CPUs of @before were offline, without
 * them: it would not get them back. */
static bool
is_short(const struct giveback *g, pid_t pid, pid_t tid, const struct cpuset *before)
{
	struct cpuset hidden = cpuset_and(before, &g->offline);
	struct cpuset asked;

	return !cpuset_empty(&hidden) &&
	       taskmask_read(g->procfd, pid, tid, &asked) == 0 &&
	       !cpuset_within(&hidden, &asked);
}

/* With CPUs of @before that are offline: they are the thread's when they come back. */
static void
give_back(const struct thread_ref *ref, const struct cpuset *before,
	struct giveback_step *step)
{
	step->r = affinity_apply(ref, before, &step->from);
	if (step->r == -EAGAIN && is_within_cpuset(step))
		step->r = 0;
}

/* All threads of a process. Returns 0 or a negative errno: it cannot be read. */
static int
give_all(const struct giveback *g, int pidfd, pid_t pid)
{
	auto_free pid_t *tids = NULL;
	ssize_t n = task_list_read(g->procfd, pid, &tids);

	for (ssize_t i = 0; i < n; i++) {
		struct giveback_step step = {.tid = tids[i]};
		struct thread_ref ref = {.procfd = g->procfd,
			.pidfd = pidfd,
			.pid = pid,
			.tid = tids[i],
			.start_ticks_now = proof_start_ticks};
		struct task_stat stat;
		struct cpuset before;
		bool seen;

		if (task_stat_read(g->procfd, pid, tids[i], &stat) < 0 ||
			affinity_read(tids[i], &step.from) < 0)
			continue; /* ended */
		ref.start_ticks = stat.start_ticks;
		before = mask_before(g, &stat);
		step.to = cpuset_and(&before, &g->online);
		seen = !affinity_is_kept(&step.to, &step.from);
		/* whose helper it is only the record knows */
		if ((!seen && !is_short(g, pid, tids[i], &before)) ||
			task_is_fixed(&stat) ||
			(pid != g->record->pid && record_find(g->record, tids[i],
							  stat.start_ticks) == NULL))
			continue;
		give_back(&ref, &before, &step);
		if (seen && step.r != -ESRCH)
			g->handle(g->arg, &step);
	}
	return n < 0 ? (int)n : 0;
}

static void
give_helpers(const struct giveback *g)
{
	auto_free pid_t *pids = NULL;
	size_t n = record_helpers(g->record, &pids);

	for (size_t i = 0; i < n; i++) {
		struct vm_identity process;

		if (identity_of_process(g->procfd, pids[i], &process) < 0)
			continue; /* ended */
		(void)give_all(g, process.pidfd, pids[i]);
		identity_fini(&process);
	}
}

int
giveback_process(int procfd, int pidfd, const struct record *record,
	giveback_handler *handle, void *arg)
{
	struct giveback g = {
		.procfd = procfd, .record = record, .handle = handle, .arg = arg};
	int r;

	if (affinity_online(&g.online) < 0)
		g.online = cpuset_below(CPUSET_CAP);
	if (affinity_offline(&g.offline) < 0)
		g.offline = CPUSET_NONE;
	r = give_all(&g, pidfd, record->pid);
	give_helpers(&g);
	return r;
}
