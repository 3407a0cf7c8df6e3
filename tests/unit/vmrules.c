// SPDX-License-Identifier: MIT
/* Limits, host nodes and the guest's own layout; nothing is taken from the planner. */
#include "config.h"

#include "vmrules.h"

struct cpuset
vmrules_ordinary(const struct plan_input *in)
{
	struct cpuset cpus = cpuset_minus(&in->topo->online, &in->policy->reserved);

	return cpuset_minus(&cpus, &in->topo->isolated);
}

struct cpuset
vmrules_limit(const struct plan_input *in, const struct plan_vm *vm)
{
	struct cpuset s = cpuset_and(&vm->limit, &in->topo->online);

	if (vm->affinity != NULL)
		s = cpuset_and(&s, vm->affinity);
	if (vm->cgroup != NULL)
		s = cpuset_and(&s, vm->cgroup);
	return s;
}

unsigned int
vmrules_guest_node(const struct plan_vm *vm, unsigned int vcpu)
{
	return vm->n_guest_nodes > 1 && vm->guest_node_of != NULL
		       ? vm->guest_node_of[vcpu]
		       : 0;
}

/* CPUs of the host nodes that a guest node is bound to. False: a node is not there. */
static bool
bound_cpus(const struct plan_input *in, const struct plan_vm *vm, unsigned int node,
	struct cpuset *out)
{
	*out = CPUSET_NONE;
	if (node < vm->n_guest_nodes) {
		cpuset_foreach (id, &vm->guest_nodes[node].host_nodes) {
			int i = topo_node_index(in->topo, id);

			if (i == TOPO_NONE)
				return false;
			*out = cpuset_or(out, &in->topo->nodes[i].cpus);
		}
	}
	if (cpuset_empty(out))
		*out = in->topo->online;
	return true;
}

struct cpuset
vmrules_may(const struct plan_input *in, const struct plan_vm *vm, unsigned int vcpu)
{
	struct cpuset may = vmrules_limit(in, vm);
	struct cpuset usable = vmrules_ordinary(in);
	struct cpuset bound;

	if (vm->mode == PLACE_PIN || vm->mode == PLACE_DEDICATED) {
		struct cpuset isolated =
			cpuset_and(&in->topo->isolated, &in->policy->isolated_usable);

		isolated = cpuset_minus(&isolated, &in->policy->reserved);
		usable = cpuset_or(&usable, &isolated);
	}
	if (vm->mode != PLACE_OFF)
		may = cpuset_and(&may, &usable);
	if (!bound_cpus(in, vm, vmrules_guest_node(vm, vcpu), &bound))
		return CPUSET_NONE;
	return cpuset_and(&may, &bound);
}

unsigned int
vmrules_guest_core(const struct plan_vm *vm, unsigned int vcpu)
{
	if (vm->threads_per_core < 2)
		return vcpu;
	return vm->guest_core_of != NULL ? vm->guest_core_of[vcpu]
					 : vcpu / vm->threads_per_core;
}

bool
vmrules_may_widen(const struct plan_input *in, const struct plan_vm *vm)
{
	struct cpuset limit = vmrules_limit(in, vm);
	struct cpuset isolated = cpuset_and(&in->topo->isolated, &limit);

	isolated = cpuset_and(&isolated, &in->policy->isolated_usable);
	isolated = cpuset_minus(&isolated, &in->policy->reserved);
	return vm->waited != NULL && vm->mode != PLACE_OBSERVE &&
	       vm->mode != PLACE_DEDICATED && vm->smt != PLACE_SMT_ISOLATE &&
	       (vm->mode != PLACE_PIN || cpuset_empty(&isolated));
}
