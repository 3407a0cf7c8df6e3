// SPDX-License-Identifier: MIT
/*
 * Who runs and who waits: each busy vCPU lies evenly on the CPUs of its mask, and waits
 * where even the least loaded of these has more than it can do. And where memory is:
 * on the nodes where the vCPUs were when they first used it.
 */
#include "config.h"

#include <string.h>

#include "model.h"

void
load_count(struct model *m, struct thread *t)
{
	uint64_t now = model_now_us(m);
	double us = (double)(now - t->counted_us);

	t->run_ns += (uint64_t)(us * 1e3 * t->gets);
	t->wait_ns += (uint64_t)(us * 1e3 * (t->busy - t->gets));
	t->counted_us = now;
}

static void
lay(const struct model *m, double *cpus)
{
	memset(cpus, 0, CPUSET_CAP * sizeof(*cpus));
	for (unsigned int i = 0; i < m->n_guests; i++) {
		const struct process *p = m->guests[i].qemu;

		for (size_t k = 0; p != NULL && k < p->n; k++) {
			const struct thread *t = p->threads[k];
			struct cpuset on = masks_shown(m, t);

			if (!(t->busy > 0))
				continue;
			cpuset_foreach (cpu, &on)
				cpus[cpu] += t->busy / cpuset_count(&on);
		}
	}
}

static double
share_of(const struct cpuset *on, const double *cpus)
{
	double least = 1e9;

	cpuset_foreach (cpu, on)
		least = cpus[cpu] < least ? cpus[cpu] : least;
	return least > 1 ? 1 / least : 1;
}

static void
share_out(struct model *m)
{
	double cpus[CPUSET_CAP];

	m->load_due = false;
	lay(m, cpus);
	for (unsigned int i = 0; i < m->n_guests; i++) {
		struct process *p = m->guests[i].qemu;

		for (size_t k = 0; p != NULL && k < p->n; k++) {
			struct thread *t = p->threads[k];
			struct cpuset on = masks_shown(m, t);

			if (t->class != THREAD_VCPU)
				continue;
			load_count(m, t);
			t->gets = t->busy * share_of(&on, cpus);
		}
	}
}

uint64_t
load_process_ns(struct model *m, struct process *p)
{
	uint64_t sum = p->ended_ns;

	if (m->load_due)
		share_out(m);
	for (size_t i = 0; i < p->n; i++) {
		load_count(m, p->threads[i]);
		sum += p->threads[i]->run_ns;
	}
	return sum;
}

void
load_change(struct model *m, struct guest *g, double busy)
{
	for (size_t i = 0; g->qemu != NULL && i < g->qemu->n; i++) {
		struct thread *t = g->qemu->threads[i];

		if (t->class != THREAD_VCPU)
			continue;
		load_count(m, t);
		t->busy = g->paused ? 0 : busy * (0.5 + rnd_share(&m->rnd));
		t->busy = t->busy < 1 ? t->busy : 1;
		t->gets = t->busy;
	}
	m->load_due = true;
}

void
load_fault_in(struct model *m, struct guest *g, double share)
{
	const struct topo *topo = m->whole.topo;
	double weights[MODEL_NODES_MAX] = {0};
	double sum = 0;

	for (size_t i = 0; g->qemu != NULL && i < g->qemu->n; i++) {
		const struct thread *t = g->qemu->threads[i];
		struct cpuset on = masks_shown(m, t);

		for (unsigned int n = 0; t->class == THREAD_VCPU && n < topo->n_nodes;
			n++) {
			struct cpuset here = cpuset_and(&on, &topo->nodes[n].cpus);

			weights[n] += cpuset_count(&here);
			sum += cpuset_count(&here);
		}
	}
	for (unsigned int n = 0; sum > 0 && n < topo->n_nodes; n++)
		g->node_kib[n] =
			(uint64_t)((1 - share) * (double)g->node_kib[n] +
				   share * (double)g->memory_kib * weights[n] / sum);
}
