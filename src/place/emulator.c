// SPDX-License-Identifier: MIT
/* The emulator's CPUs by policy. */
#include "config.h"

#include "place/emulator.h"

#include "place/entry.h"

static const struct cpuset *
core_of(const struct world *w, unsigned int cpu)
{
	const struct topo *topo = w->in->topo;

	return &topo->cores[topo->pus[topo->pu_of_cpu[cpu]].core].cpus;
}

/* The domain without the vCPUs' CPUs if that leaves a core to itself, else the domain.
 */
static struct cpuset
beside(const struct world *w, const struct cpuset *domain, const struct cpuset *vcpus)
{
	struct cpuset rest = cpuset_minus(domain, vcpus);

	cpuset_foreach (cpu, &rest) {
		if (!cpuset_overlap(core_of(w, cpu), vcpus))
			return rest;
	}
	return *domain;
}

/* One core in the smallest wider domain that has one outside @domain; the last there,
 * as new VMs fill domains from the front. */
static bool
one_core_outside(const struct world *w, const struct world_vm *vm,
	const struct cpuset *domain, struct cpuset *out)
{
	const struct tree *t = w->tree;
	int up = t->nodes[tree_around(t, w->in->topo, domain)].parent;

	for (; up >= 0 && cpuset_empty(out); up = t->nodes[up].parent) {
		struct cpuset rest = cpuset_and(&t->nodes[up].cpus, &vm->allowed);

		rest = cpuset_minus(&rest, domain);
		cpuset_foreach (cpu, &rest) {
			if (!cpuset_overlap(core_of(w, cpu), domain))
				*out = cpuset_and(core_of(w, cpu), &rest);
		}
	}
	return !cpuset_empty(out);
}

struct cpuset
emulator_mask(const struct world *w, const struct world_vm *vm,
	const struct cpuset *domain, const struct cpuset *vcpus)
{
	struct cpuset apart;

	switch (vm->in->emulator) {
	case PLACE_EMULATOR_FOLLOW:
		return *vcpus;
	case PLACE_EMULATOR_ISOLATE:
		apart = entry_limit(w->in, vm->in);
		apart = cpuset_and(&apart, &w->in->policy->reserved);
		apart = cpuset_minus(&apart, &w->in->topo->isolated);
		apart = cpuset_minus(&apart, &w->alone);
		if (!cpuset_empty(&apart) || one_core_outside(w, vm, domain, &apart))
			return apart;
		break;
	case PLACE_EMULATOR_FLOAT:
	case PLACE_N_EMULATOR:
		break;
	}
	return beside(w, domain, vcpus);
}
