// SPDX-License-Identifier: MIT
/* CPUs and whole nodes that go offline and come back. */
#include "config.h"

#include "life.h"
#include "loop.h"

#define NODE_GONE_US (15 * MINUTE_US)

/* What happens to a CPU finds threads asleep. */
static void
put_to_sleep(struct life *l)
{
	struct model *m = l->model;

	for (unsigned int i = 0; i < MODEL_PIDS; i++) {
		if (m->by_tid[i] != NULL)
			m->by_tid[i]->sleeps = m->by_tid[i]->class != THREAD_VCPU &&
					       rnd_below(&l->rnd, 2) == 0;
	}
}

void
life_cpu(struct life *l)
{
	struct model *m = l->model;
	struct cpuset off = cpuset_minus(&m->whole.topo->online, &m->online);
	bool back = !cpuset_empty(&off) && rnd_below(&l->rnd, 3) > 0;
	const struct cpuset *from = back ? &off : &m->online;
	unsigned int cpu = cpuset_next(from, rnd_below(&l->rnd, CPUSET_CAP / 16));

	if (cpu >= CPUSET_CAP)
		cpu = cpuset_next(from, 1);
	if (m->calm || cpu >= CPUSET_CAP || cpu == 0)
		return;
	judge_note(l->judge, NULL, "CPU %u goes %sline", cpu, back ? "on" : "off");
	put_to_sleep(l);
	masks_cpu(m, cpu, back);
}

static void
switch_cpus(struct life *l, const struct cpuset *cpus, bool online)
{
	put_to_sleep(l);
	cpuset_foreach (cpu, cpus)
		masks_cpu(l->model, cpu, online);
}

/* A node goes, but for CPU 0, for a short time. */
void
life_node(struct life *l)
{
	struct model *m = l->model;
	unsigned int n = m->whole.topo->n_nodes;
	struct cpuset cpus;

	if (m->calm || n < 2 || !cpuset_equal(&m->online, &m->whole.topo->online))
		return;
	cpus = m->whole.topo->nodes[rnd_below(&l->rnd, n)].cpus;
	cpuset_remove(&cpus, 0);
	judge_note(l->judge, NULL, "the CPUs of a node go offline");
	switch_cpus(l, &cpus, false);
	l->node_back_us = model_now_us(m) + NODE_GONE_US;
}

void
life_bring_node_back(struct life *l)
{
	struct model *m = l->model;
	struct cpuset off = cpuset_minus(&m->whole.topo->online, &m->online);

	if (l->node_back_us == 0 || model_now_us(m) < l->node_back_us)
		return;
	l->node_back_us = 0;
	judge_note(l->judge, NULL, "all CPUs come online");
	switch_cpus(l, &off, true);
}
