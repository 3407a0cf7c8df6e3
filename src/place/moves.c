// SPDX-License-Identifier: MIT
/* Old masks against new ones. */
#include "config.h"

#include "place/moves.h"

struct moves
moves_of(
	const struct plan_vm *vm, const struct plan_result *r, const struct cpuset *may)
{
	unsigned int n = vm->n_current < r->n_vcpus ? vm->n_current : r->n_vcpus;
	struct moves out = {0};

	if (!vm->placed || r->verdict != PLAN_PLACE || !r->apply)
		return out;
	for (unsigned int v = 0; v < n; v++) {
		struct cpuset kept = cpuset_and(&vm->current[v], may);

		if (cpuset_empty(&kept))
			out.forced++;
		else if (!cpuset_within(&kept, &r->vcpus[v]))
			out.moved++;
	}
	return out;
}

struct cpuset
moves_exclusive(
	const struct topo *topo, const struct plan_vm *vm, const struct plan_result *r)
{
	struct cpuset cores = CPUSET_NONE;

	if (vm->mode != PLACE_DEDICATED || r->verdict == PLAN_LEAVE)
		return cores;
	for (unsigned int v = 0; v < r->n_vcpus; v++) {
		cpuset_foreach (cpu, &r->vcpus[v]) {
			const struct topo_pu *pu = topo_pu_of(topo, cpu);

			if (pu != NULL)
				cores = cpuset_or(&cores, &topo->cores[pu->core].cpus);
		}
	}
	return cores;
}
