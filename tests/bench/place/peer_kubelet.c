// SPDX-License-Identifier: MIT
/*
 * Exclusive CPUs as kubelet's static policy gives them, packed: the largest whole
 * groups that fit, then single CPUs, always where least is free. A VM shares its CPUs
 * among its threads; one for which there are not enough stays where it is.
 */
#include "config.h"

#include "policies.h"

/* What can still be given. */
struct stock {
	const struct site *site;
	struct cpuset free;
	struct cpuset given;
	unsigned int left; /* still wanted */
};

static void
give(struct stock *s, const struct cpuset *cpus)
{
	s->given = cpuset_or(&s->given, cpus);
	s->free = cpuset_minus(&s->free, cpus);
	s->left -= cpuset_count(cpus);
}

static unsigned int
free_in(const struct stock *s, const struct cpuset *cpus)
{
	struct cpuset here = cpuset_and(cpus, &s->free);

	return cpuset_count(&here);
}

/* How much is free around a CPU: the package counts most, then node, L3 and core. */
static unsigned int
room_around(const struct stock *s, unsigned int cpu)
{
	const struct topo *t = s->site->topo;
	const struct topo_pu *pu = topo_pu_of(t, cpu);
	unsigned int room = 0;

	if (pu->package != TOPO_NONE)
		room = free_in(s, &t->packages[pu->package].cpus);
	room *= 64;
	if (pu->node != TOPO_NONE)
		room += free_in(s, &t->nodes[pu->node].cpus);
	room *= 32;
	if (pu->l3 != TOPO_NONE)
		room += free_in(s, &t->l3[pu->l3].cpus);
	return room * 8 + free_in(s, &t->cores[pu->core].cpus);
}

/* Whole groups, as long as one fits that nobody has a part of. */
static void
take_groups(struct stock *s, const struct topo_group *groups, unsigned int n)
{
	for (;;) {
		struct cpuset best = CPUSET_NONE;
		unsigned int least = 0;

		for (unsigned int i = 0; i < n; i++) {
			struct cpuset all =
				cpuset_and(&groups[i].cpus, &s->site->online);
			unsigned int room;

			if (cpuset_empty(&all) || !cpuset_within(&all, &s->free) ||
				cpuset_count(&all) > s->left)
				continue;
			room = room_around(s, cpuset_next(&all, 0));
			if (cpuset_empty(&best) || room < least) {
				best = all;
				least = room;
			}
		}
		if (cpuset_empty(&best))
			return;
		give(s, &best);
	}
}

static void
take_nodes(struct stock *s)
{
	const struct topo *t = s->site->topo;

	for (unsigned int i = 0; i < t->n_nodes; i++) {
		struct topo_group node = {.cpus = t->nodes[i].cpus};

		take_groups(s, &node, 1);
	}
}

static void
take_single(struct stock *s)
{
	while (s->left > 0) {
		unsigned int best = CPUSET_CAP;
		unsigned int least = 0;
		struct cpuset one;

		cpuset_foreach (cpu, &s->free) {
			unsigned int room = room_around(s, cpu);

			if (best == CPUSET_CAP || room < least) {
				best = cpu;
				least = room;
			}
		}
		one = cpuset_of(best);
		give(s, &one);
	}
}

static void
kubelet_on_event(struct run *r, const struct replay_event *e, struct site_vm *vm)
{
	const struct site *site = &r->site;
	const struct topo *t = site->topo;
	struct stock s = {.site = site};

	/* decided once; a vCPU that is plugged has the VM's mask */
	if (vm == NULL || e->kind != REPLAY_START)
		return;
	s.free = site_limit(site, vm);
	s.left = vm->n_vcpus;
	for (unsigned int i = 0; i < site->n; i++) {
		if (site->vms[i].pinned)
			s.free = cpuset_minus(&s.free, &site->vms[i].emulator);
	}
	if (cpuset_count(&s.free) < s.left) {
		r->refused++;
		return;
	}
	take_groups(&s, t->packages, t->n_packages);
	take_nodes(&s);
	take_groups(&s, t->l3, t->n_l3);
	take_groups(&s, t->cores, t->n_cores);
	take_single(&s);
	site_give(site, vm, &s.given);
}

const struct policy policy_kubelet = {
	.name = "kubelet",
	.what = "exclusive CPUs, packed (kubelet static)",
	.on_event = kubelet_on_event,
};
