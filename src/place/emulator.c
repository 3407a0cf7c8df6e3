// SPDX-License-Identifier: MIT
/* The emulator's CPUs by policy. */
#include "config.h"

#include "place/emulator.h"

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
one_core_outside(const struct world *w, const struct world_vm *vm, unsigned int node,
	const struct cpuset *domain, struct cpuset *out)
{
	int up = world_wider(w, vm, node);
	struct cpuset rest;

	if (up < 0)
		return false;
	rest = world_mask(w, vm, (unsigned int)up);
	rest = cpuset_minus(&rest, domain);
	cpuset_foreach (cpu, &rest) {
		if (!cpuset_overlap(core_of(w, cpu), domain))
			*out = cpuset_and(core_of(w, cpu), &rest);
	}
	return !cpuset_empty(out);
}

struct cpuset
emulator_mask(const struct world *w, const struct world_vm *vm, unsigned int node,
	const struct cpuset *vcpus)
{
	const struct topo *topo = w->in->topo;
	struct cpuset domain = world_mask(w, vm, node);
	struct cpuset apart;

	switch (vm->in->emulator) {
	case PLACE_EMULATOR_FOLLOW:
		return *vcpus;
	case PLACE_EMULATOR_ISOLATE:
		apart = cpuset_and(&w->in->policy->reserved, &topo->online);
		apart = cpuset_and(&apart, &vm->in->limit);
		apart = cpuset_minus(&apart, &topo->isolated);
		if (!cpuset_empty(&apart) ||
			one_core_outside(w, vm, node, &domain, &apart))
			return apart;
		break;
	case PLACE_EMULATOR_FLOAT:
	case PLACE_N_EMULATOR:
		break;
	}
	return beside(w, &domain, vcpus);
}
