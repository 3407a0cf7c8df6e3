// SPDX-License-Identifier: MIT
/*
 * What the kernel does to CPU masks, as measured on 6.1 and 6.12: a mask of CPUs that
 * are all offline is widened when its thread wakes up, and stays so; a cpuset cuts
 * masks, and where the kernel does not remember what was asked for (before 6.2) it
 * also widens them.
 */
#include "config.h"

#include <errno.h>

#include "model.h"

struct cpuset
masks_effective(const struct model *m, const struct guest *g)
{
	struct cpuset cpus = m->online;
	struct cpuset own;

	if (!m->has_cpusets || g == NULL)
		return cpus;
	own = cpuset_and(&cpus, &m->slice);
	if (!cpuset_empty(&own))
		cpus = own;
	own = cpuset_and(&cpus, &g->cpuset);
	return cpuset_empty(&own) ? cpus : own;
}

struct cpuset
masks_allowed(const struct model *m, const struct guest *g)
{
	if (!m->has_cpusets || g == NULL)
		return m->whole.topo->online;
	return masks_effective(m, g);
}

struct cpuset
masks_shown(const struct model *m, const struct thread *t)
{
	return cpuset_and(&t->mask, &m->online);
}

int
masks_set(struct model *m, struct thread *t, const struct cpuset *want)
{
	struct cpuset allowed = masks_allowed(m, t->of->guest);
	struct cpuset mask = cpuset_and(want, &allowed);

	if (!cpuset_overlap(&mask, &m->online))
		return -EINVAL;
	t->user = *want;
	t->mask = mask;
	m->load_due = true;
	return 0;
}

void
masks_wake(struct model *m, struct thread *t)
{
	t->sleeps = false;
	if (cpuset_overlap(&t->mask, &m->online))
		return;
	t->mask = masks_allowed(m, t->of->guest);
	m->load_due = true;
}

static void
follow_cpuset(const struct model *m, struct thread *t)
{
	struct cpuset allowed = masks_allowed(m, t->of->guest);
	struct cpuset mask = cpuset_and(&t->user, &allowed);

	t->mask = m->old_kernel || cpuset_empty(&mask) ? allowed : mask;
}

static void
follow_all(struct model *m, const struct guest *only)
{
	for (unsigned int tid = 0; tid < MODEL_PIDS; tid++) {
		struct thread *t = m->by_tid[tid];

		if (t == NULL || (only != NULL && t->of->guest != only))
			continue;
		if (m->has_cpusets && t->of->guest != NULL)
			follow_cpuset(m, t);
		else if (!t->sleeps)
			masks_wake(m, t);
	}
	m->load_due = true;
}

void
masks_cpu(struct model *m, unsigned int cpu, bool online)
{
	if (online)
		cpuset_add(&m->online, cpu);
	else
		cpuset_remove(&m->online, cpu);
	follow_all(m, NULL);
	if (m->on_cpus != NULL)
		m->on_cpus(m->owner);
}

void
masks_confine(struct model *m, struct guest *g, const struct cpuset *cpus)
{
	if (g != NULL)
		g->cpuset = *cpus;
	else
		m->slice = *cpus;
	follow_all(m, g);
}
