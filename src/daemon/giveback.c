// SPDX-License-Identifier: MIT
/* Masks given back, thread by thread. */
#include "config.h"

#include "daemon/giveback.h"

#include <errno.h>

#include "act/affinity.h"
#include "base/xalloc.h"
#include "daemon/proof.h"
#include "vm/task.h"

/* What a thread had, as far as CPUs are online. */
static struct cpuset
mask_before(const struct record *record, const struct task_stat *stat)
{
	const struct record_thread *known =
		record_find(record, stat->tid, stat->start_ticks);
	const struct cpuset *had = known != NULL ? &known->cpus : &record->limit;
	struct cpuset online;

	return affinity_online(&online) == 0 ? cpuset_and(had, &online) : *had;
}

/* The kernel stores what was asked for and shows what the cpuset leaves of it. */
static bool
is_within_cpuset(const struct giveback_step *step)
{
	struct cpuset now;

	return affinity_read(step->tid, &now) == 0 && !cpuset_empty(&now) &&
	       cpuset_within(&now, &step->to);
}

static void
give_back(const struct thread_ref *ref, struct giveback_step *step)
{
	step->r = affinity_apply(ref, &step->to, &step->from);
	if (step->r == -EAGAIN && is_within_cpuset(step))
		step->r = 0;
}

int
giveback_process(int procfd, int pidfd, const struct record *record,
	giveback_handler *handle, void *arg)
{
	auto_free pid_t *tids = NULL;
	ssize_t n = task_list_read(procfd, record->pid, &tids);

	for (ssize_t i = 0; i < n; i++) {
		struct giveback_step step = {.tid = tids[i]};
		struct thread_ref ref = {.procfd = procfd,
			.pidfd = pidfd,
			.pid = record->pid,
			.tid = tids[i],
			.start_ticks_now = proof_start_ticks};
		struct task_stat stat;

		if (task_stat_read(procfd, record->pid, tids[i], &stat) < 0 ||
			affinity_read(tids[i], &step.from) < 0)
			continue; /* ended */
		ref.start_ticks = stat.start_ticks;
		step.to = mask_before(record, &stat);
		if (affinity_is_kept(&step.to, &step.from))
			continue;
		give_back(&ref, &step);
		if (step.r != -ESRCH)
			handle(arg, &step);
	}
	return n < 0 ? (int)n : 0;
}
