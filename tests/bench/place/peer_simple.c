// SPDX-License-Identifier: MIT
/*
 * The policies that look at one VM at a time: none, random CPUs, and the nearest
 * neighbours of the CPU after the last one used (proxmox-cpu-affinity).
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "policies.h"

static void
unpinned_on_event(struct run *r, const struct replay_event *e, struct site_vm *vm)
{
	(void)r;
	(void)e;
	(void)vm;
}

const struct policy policy_unpinned = {
	.name = "unpinned",
	.what = "each VM on all that it may use",
	.on_event = unpinned_on_event,
};

/* ---- random ---- */

static void
pin_random(struct run *r, struct site_vm *vm, unsigned int from)
{
	struct cpuset limit = site_limit(&r->site, vm);
	struct cpuset left = limit;

	vm->pinned = true;
	for (unsigned int v = from; v < vm->n_vcpus; v++) {
		unsigned int skip;
		unsigned int cpu;

		if (cpuset_empty(&left))
			left = limit;
		skip = rnd_below(&r->rnd, cpuset_count(&left));
		cpu = cpuset_next(&left, 0);
		while (skip-- > 0)
			cpu = cpuset_next(&left, cpu + 1);
		vm->masks[v] = cpuset_of(cpu);
		cpuset_remove(&left, cpu);
	}
}

static void
random_on_event(struct run *r, const struct replay_event *e, struct site_vm *vm)
{
	unsigned int from = 0;

	if (vm == NULL)
		return;
	/* new vCPUs have the emulator's mask; those before them are pinned */
	while (e->kind == REPLAY_HOTPLUG && from < vm->n_vcpus &&
		!cpuset_equal(&vm->masks[from], &vm->emulator))
		from++;
	pin_random(r, vm, from);
}

const struct policy policy_random = {
	.name = "random",
	.what = "each vCPU on a random CPU of its own",
	.on_event = random_on_event,
};

/* ---- nearest neighbours, round robin ---- */

struct nearest {
	unsigned int last;     /* index of a PU */
	unsigned short *ranks; /* of each PU the others, near to far */
};

static void *
nearest_begin(struct run *r)
{
	struct nearest *m = xcalloc(1, sizeof(*m));
	unsigned int n = r->site.topo->n_pus;
	auto_free unsigned int *row = xcalloc(n, sizeof(*row));

	m->last = n - 1;
	m->ranks = xcalloc((size_t)n * n, sizeof(*m->ranks));
	for (unsigned int pu = 0; pu < n; pu++) {
		lat_neighbours(&r->site.lat, pu, row);
		for (unsigned int i = 0; i + 1 < n; i++)
			m->ranks[(size_t)pu * n + i] = (unsigned short)row[i];
	}
	return m;
}

static void
nearest_end(struct run *r)
{
	struct nearest *m = r->memo;

	free(m->ranks);
	free(m);
}

static void
nearest_on_event(struct run *r, const struct replay_event *e, struct site_vm *vm)
{
	struct nearest *m = r->memo;
	const struct topo *t = r->site.topo;
	struct cpuset mask;
	unsigned int left;

	/* it acts when a VM starts; a vCPU that is plugged has the VM's mask already */
	if (vm == NULL || e->kind != REPLAY_START)
		return;
	do
		m->last = (m->last + 1) % t->n_pus;
	while (!cpuset_has(&r->site.online, t->pus[m->last].cpu));
	mask = cpuset_of(t->pus[m->last].cpu);
	left = vm->n_vcpus - 1;
	for (unsigned int i = 0; i + 1 < t->n_pus && left > 0; i++) {
		unsigned int pu = m->ranks[(size_t)m->last * t->n_pus + i];

		if (!cpuset_has(&r->site.online, t->pus[pu].cpu))
			continue;
		cpuset_add(&mask, t->pus[pu].cpu);
		left--;
	}
	site_give(&r->site, vm, &mask);
}

const struct policy policy_nearest = {
	.name = "nearest",
	.what = "the next CPU and its nearest, round robin (proxmox-cpu-affinity)",
	.begin = nearest_begin,
	.on_event = nearest_on_event,
	.end = nearest_end,
};
