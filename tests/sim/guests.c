// SPDX-License-Identifier: MIT
/* A host and its VMs by a seed: most as they come, some with settings of their own. */
#include "config.h"

#include <stdio.h>

#include "base/attr.h"
#include "life.h"
#include "seam.h"

static unsigned int
below(struct life *l, unsigned int n)
{
	return rnd_below(&l->rnd, n);
}

struct cpuset
life_some_cpus(struct life *l)
{
	const struct cpuset *online = &l->model->online;
	unsigned int n = 1 + below(l, cpuset_count(online));
	unsigned int cpu = below(l, cpuset_count(online));
	struct cpuset cpus = CPUSET_NONE;

	while (n-- > 0) {
		cpu = cpuset_next(online, cpu + 1);
		if (cpu >= CPUSET_CAP)
			cpu = cpuset_next(online, 0);
		cpuset_add(&cpus, cpu);
	}
	return cpus;
}

static void
make_guest(struct life *l, struct guest *g, unsigned int i)
{
	static const unsigned int sizes[] = {1, 2, 2, 4, 4, 4, 8, 8, 12, 16};
	struct model *m = l->model;
	unsigned int most = cpuset_count(&m->online) / 2;
	unsigned int dice = below(l, 100);

	*g = (struct guest){.vmid = (int)(MODEL_FIRST_ID + i), .tpc = 1 + below(l, 2)};
	(void)snprintf(g->id, sizeof(g->id), "%d", g->vmid);
	(void)snprintf(g->scope, sizeof(g->scope), "/qemu.slice/%d.scope", g->vmid);
	g->vcpus_min = sizes[below(l, ARRAY_LEN(sizes))];
	if (g->vcpus_min > most)
		g->vcpus_min = most > 0 ? most : 1;
	g->vcpus_max = g->vcpus_min + (below(l, 3) == 0 ? g->vcpus_min : 0);
	g->iothreads = below(l, 3);
	g->has_tpm = below(l, 4) == 0;
	g->memory_kib = (UINT64_C(2) << 20) << below(l, 4);
	g->mode = PLACE_AUTO;
	if (dice < 15)
		g->mode = PLACE_FLOAT;
	else if (dice < 25)
		g->mode = PLACE_PIN;
	else if (dice < 30)
		g->mode = PLACE_CORE;
	else if (dice < 34)
		g->mode = PLACE_OFF;
	else if (dice < 38)
		g->mode = PLACE_OBSERVE;
	else if (dice < 43 && !m->calm && g->vcpus_max <= 4)
		g->mode = PLACE_DEDICATED;
	if (below(l, 12) == 0)
		g->affinity = life_some_cpus(l);
}

void
life_populate(struct life *l)
{
	struct model *m = l->model;
	unsigned int n = cpuset_count(&m->online) * 5 / 8;

	m->has_cpusets = below(l, 4) > 0;
	m->old_kernel = below(l, 3) == 0;
	m->calm = below(l, 3) == 0;
	if (below(l, 3) > 0 || seam()->fault == FAULT_BEYOND)
		m->reserved = m->whole.topo->cores[0].cpus;
	m->n_guests = n < 3 ? 3 : n < 40 ? n : 40;
	for (unsigned int i = 0; i < m->n_guests; i++)
		make_guest(l, &m->guests[i], i);
}
