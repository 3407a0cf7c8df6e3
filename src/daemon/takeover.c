// SPDX-License-Identifier: MIT
/*
 * Masks that an earlier daemon has set, told by the record of what was before them. One
 * that was set to all that the thread had cannot be told, and is as good as not set.
 */
#include "config.h"

#include "daemon/takeover.h"

#include "act/affinity.h"
#include "daemon/engine.h"
#include "daemon/survey.h"

/* What the kernel shows of a mask that nobody has changed. */
static struct cpuset
shown(const struct vm *vm, const struct cpuset *mask)
{
	struct cpuset online;
	struct cpuset cpus = *mask;

	if (affinity_online(&online) == 0)
		cpus = cpuset_and(&cpus, &online);
	return vm->confine.bounded ? cpuset_and(&cpus, &vm->confine.cpus) : cpus;
}

static bool
is_ours(const struct engine *e, const struct vm *vm, const struct vm_task *t)
{
	const struct record_thread *known =
		record_find(&vm->record, t->thread.tid, t->thread.start_ticks);
	struct cpuset before;
	struct cpuset reach;

	if (t->thread.class != THREAD_VCPU || known == NULL || cpuset_empty(&t->have))
		return false;
	before = shown(vm, known->cpus);
	reach = survey_reach(e, known->cpus);
	return !cpuset_equal(&t->have, &before) && cpuset_within(&t->have, &reach);
}

bool
takeover_masks(const struct engine *e, struct vm *vm)
{
	bool any = false;

	for (size_t i = 0; i < vm->n_tasks; i++) {
		struct vm_task *t = &vm->tasks[i];

		if (!is_ours(e, vm, t))
			continue;
		t->want = t->have;
		t->wanted = t->applied = any = true;
	}
	return any;
}
