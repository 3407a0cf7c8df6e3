// SPDX-License-Identifier: MIT
/* Masks of others, counted by core. Masks are few: most VMs share whole domains. */
#include "config.h"

#include "place/harm.h"

#include <stdlib.h>

#include "base/xalloc.h"

static unsigned int
core_of(const struct topo *t, unsigned int cpu)
{
	return (unsigned int)t->pus[t->pu_of_cpu[cpu]].core;
}

/* The entry of @cpus. @guess: where it may well be. */
static unsigned int
find_mask(struct harm *h, const struct topo *t, const struct cpuset *cpus,
	unsigned int guess)
{
	struct harm_mask *m;

	if (guess < h->n_masks && cpuset_equal(&h->masks[guess].cpus, cpus))
		return guess;
	for (unsigned int i = 0; i < h->n_masks; i++) {
		if (cpuset_equal(&h->masks[i].cpus, cpus))
			return i;
	}
	h->masks = xgrow(h->masks, h->n_masks, &h->cap_masks, sizeof(*h->masks));
	m = &h->masks[h->n_masks];
	*m = (struct harm_mask){.cpus = *cpus};
	cpuset_foreach (cpu, cpus)
		cpuset_add(&m->cores, core_of(t, cpu));
	return h->n_masks++;
}

static void
add_vm(struct harm *h, const struct plan_input *in, const struct world_vm *vm)
{
	unsigned int last = 0;

	for (unsigned int v = 0; v < vm->in->n_current; v++) {
		struct cpuset cpus = cpuset_and(&vm->in->current[v], &in->topo->online);

		if (cpuset_empty(&cpus))
			continue;
		last = find_mask(h, in->topo, &cpus, last);
		h->masks[last].n_vcpus++;
		h->masks[last].demand += vm->demand / vm->in->n_current;
	}
}

static void
sum_up(struct harm *h, const struct plan_input *in)
{
	const struct topo *t = in->topo;

	for (unsigned int i = 0; i < h->n_masks; i++) {
		const struct harm_mask *m = &h->masks[i];
		double each = m->demand / cpuset_count(&m->cpus);

		cpuset_foreach (cpu, &m->cpus)
			h->load[core_of(t, cpu)] += each;
		cpuset_foreach (core, &m->cores)
			h->has[core] += m->n_vcpus;
	}
	for (unsigned int i = 0; in->background != NULL && i < t->n_pus; i++)
		h->load[t->pus[i].core] += in->background[i];
}

struct harm
harm_of(const struct plan_input *in, const struct entries *e)
{
	struct harm h = {0};

	h.load = xcalloc(in->topo->n_cores, sizeof(*h.load));
	h.has = xcalloc(in->topo->n_cores, sizeof(*h.has));
	for (unsigned int i = 0; i < in->n_vms; i++) {
		if (!e->vms[i].exclusive)
			add_vm(&h, in, &e->vms[i]);
	}
	sum_up(&h, in);
	return h;
}

void
harm_fini(struct harm *h)
{
	free(h->masks);
	free(h->load);
	free(h->has);
	*h = (struct harm){0};
}
