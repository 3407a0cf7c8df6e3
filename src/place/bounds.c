// SPDX-License-Identifier: MIT
/*
 * A rule counts when it takes CPUs that all others would leave; of two that take the
 * same CPUs both count, but the limit, which affinity: and the cgroup show in, only for
 * what these do not take.
 */
#include "config.h"

#include "place/bounds.h"

#include "place/entry.h"
#include "place/guestcore.h"

static void
set_rule(struct explain *e, enum explain_rule rule, bool on)
{
	if (on)
		e->rules |= 1u << rule;
}

static bool
takes(const struct cpuset *from, const struct cpuset *leaves)
{
	return leaves != NULL && !cpuset_within(from, leaves);
}

/* What the VM may use by its own rules. */
static void
find_limits(const struct plan_input *in, const struct plan_vm *vm, struct explain *out)
{
	struct cpuset own = vm->limit;
	struct cpuset others = in->topo->online;

	if (vm->affinity != NULL) {
		own = cpuset_and(&own, vm->affinity);
		others = cpuset_and(&others, vm->affinity);
	}
	if (vm->cgroup != NULL) {
		own = cpuset_and(&own, vm->cgroup);
		others = cpuset_and(&others, vm->cgroup);
	}
	/* with no limit at all, nothing tells which other CPUs the host has */
	set_rule(out, EXPLAIN_OFFLINE,
		!cpuset_has(&own, CPUSET_CAP - 1) && takes(&own, &in->topo->online));
	set_rule(out, EXPLAIN_AFFINITY, takes(&in->topo->online, vm->affinity));
	set_rule(out, EXPLAIN_CGROUP, takes(&in->topo->online, vm->cgroup));
	set_rule(out, EXPLAIN_LIMIT, takes(&others, &vm->limit));
}

/* CPUs of the cores that a VM is on. */
static struct cpuset
own_cores(const struct topo *topo, const struct plan_result *out)
{
	struct cpuset cpus = CPUSET_NONE;

	for (unsigned int i = 0; i < topo->n_cores; i++) {
		if (cpuset_overlap(&topo->cores[i].cpus, &out->domain))
			cpus = cpuset_or(&cpus, &topo->cores[i].cpus);
	}
	return cpus;
}

/* What the host keeps from it. */
static void
find_host_rules(const struct plan_input *in, const struct world_vm *vm,
	const struct cpuset *alone, struct explain *out)
{
	struct cpuset limit = entry_limit(in, vm->in);
	struct cpuset isolated = cpuset_and(&limit, &in->topo->isolated);
	struct cpuset usable = entry_usable(in);
	struct cpuset may = cpuset_or(&usable, &vm->isolated);
	struct cpuset mine = CPUSET_NONE;

	set_rule(out, EXPLAIN_RESERVED, cpuset_overlap(&limit, &in->policy->reserved));
	isolated = cpuset_minus(&isolated, &in->policy->reserved);
	set_rule(out, EXPLAIN_ISOLATED, takes(&isolated, &vm->isolated));
	if (vm->exclusive)
		mine = own_cores(in->topo, vm->out);
	out->exclusive = cpuset_minus(alone, &mine);
	out->exclusive = cpuset_and(&out->exclusive, &limit);
	out->exclusive = cpuset_and(&out->exclusive, &may);
	set_rule(out, EXPLAIN_EXCLUSIVE, !cpuset_empty(&out->exclusive));
}

static bool
has_siblings(const struct topo *topo)
{
	return topo->n_cores < topo->n_pus;
}

/* Rules about the guest's nodes and cores. */
static void
find_guest_rules(
	const struct plan_input *in, const struct world_vm *vm, struct explain *out)
{
	const struct plan_vm *from = vm->in;
	struct cpuset may = cpuset_or(&vm->allowed, &vm->isolated);
	bool cores = vm->role == WORLD_PIN || vm->role == WORLD_SETTLED;

	for (unsigned int g = 0; g < from->n_guest_nodes; g++) {
		struct cpuset cpus = CPUSET_NONE;

		cpuset_foreach (id, &from->guest_nodes[g].host_nodes) {
			int node = topo_node_index(in->topo, id);

			if (node != TOPO_NONE)
				cpus = cpuset_or(&cpus, &in->topo->nodes[node].cpus);
		}
		set_rule(out, EXPLAIN_HOST_NODES,
			!cpuset_empty(&cpus) && takes(&may, &cpus));
	}
	set_rule(out, EXPLAIN_GUEST_CORES,
		cores && has_siblings(in->topo) && from->n_vcpus > 1 &&
			(from->threads_per_core > 1 || from->guest_core_of != NULL));
	set_rule(out, EXPLAIN_QUOTA,
		from->cpulimit > 0 && from->cpulimit < from->n_vcpus &&
			!(from->demand_vcpus > 0 &&
				from->demand_vcpus <= from->cpulimit));
}

/* A node of @limit has all the cores that may be somebody's alone, and more. */
static bool
share_is_used(const struct plan_input *in, const struct cpuset *limit,
	const struct cpuset *alone)
{
	for (unsigned int n = 0; n < in->topo->n_nodes; n++) {
		const struct cpuset *node = &in->topo->nodes[n].cpus;
		unsigned int cores = 0;
		unsigned int used = 0;

		for (unsigned int i = 0; i < in->topo->n_cores; i++) {
			const struct cpuset *core = &in->topo->cores[i].cpus;

			if (!cpuset_overlap(core, node))
				continue;
			cores++;
			used += cpuset_overlap(core, alone);
		}
		if (used > 0 && used < cores && cpuset_overlap(node, limit) &&
			used >= cores * in->policy->dedicated_max_pct / 100)
			return true;
	}
	return false;
}

static void
find_exclusive_rules(const struct plan_input *in, const struct world_vm *vm,
	const struct cpuset *alone, struct explain *out)
{
	struct cpuset limit = cpuset_or(&vm->allowed, &vm->isolated);

	if (!vm->exclusive)
		return;
	set_rule(out, EXPLAIN_CPU0, cpuset_has(&limit, 0));
	set_rule(out, EXPLAIN_NODE_SHARE, share_is_used(in, &limit, alone));
}

void
bounds_find(const struct plan_input *in, const struct world_vm *vm,
	const struct cpuset *alone, struct explain *out)
{
	find_limits(in, vm->in, out);
	find_host_rules(in, vm, alone, out);
	find_guest_rules(in, vm, out);
	find_exclusive_rules(in, vm, alone, out);
}
