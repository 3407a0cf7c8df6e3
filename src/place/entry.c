// SPDX-License-Identifier: MIT
/* Checks, limits, groups. */
#include "config.h"

#include "place/entry.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

/* Guest nodes that QEMU itself would take; more is nonsense from outside. */
#define GUEST_NODES_MAX 128u
#define SHARE_ROUNDING 1e-3

int
entry_check(const struct plan_input *in, struct err *e)
{
	if (in->topo->n_pus == 0)
		return err_set(e, -EINVAL, "", 0, "the host has no online CPU");
	if (in->latency.n != in->topo->n_pus)
		return err_set(e, -EINVAL, "", 0,
			"latencies of %u CPUs for a host of %u", in->latency.n,
			in->topo->n_pus);
	if (in->n_vms > PLAN_VMS_MAX)
		return err_set(e, -EINVAL, "", 0, "%u VMs, at most %u", in->n_vms,
			PLAN_VMS_MAX);
	return 0;
}

struct cpuset
entry_usable(const struct plan_input *in)
{
	struct cpuset cpus = cpuset_minus(&in->topo->online, &in->policy->reserved);

	return cpuset_minus(&cpus, &in->topo->isolated);
}

struct cpuset
entry_limit(const struct plan_input *in, const struct plan_vm *vm)
{
	struct cpuset cpus = cpuset_and(&vm->limit, &in->topo->online);

	if (vm->affinity != NULL)
		cpus = cpuset_and(&cpus, vm->affinity);
	if (vm->cgroup != NULL)
		cpus = cpuset_and(&cpus, vm->cgroup);
	return cpus;
}

bool
entry_has_masks(const struct plan_vm *in, const struct plan_result *out)
{
	if (in->n_current != out->n_vcpus || in->back != NULL)
		return false;
	for (unsigned int i = 0; i < in->n_current; i++) {
		if (!cpuset_equal(&in->current[i], &out->vcpus[i]))
			return false;
	}
	return true;
}

/* " and its affinity 8-9". Returns false when there is no such rule. */
static bool
name_rule(const char *name, const struct cpuset *cpus, char *why)
{
	size_t used = strlen(why);
	char text[40];

	if (cpus == NULL)
		return false;
	(void)snprintf(why + used, PLAN_WHY_MAX - used, " and its %s %s", name,
		cpuset_empty(cpus) ? "(empty)"
				   : cpuset_format(cpus, text, sizeof(text)));
	return true;
}

/* Why no CPU is left for the VM, in numbers. */
static void
say_no_cpu(const struct plan_input *in, const struct plan_vm *vm, char *why)
{
	struct cpuset left = entry_limit(in, vm);
	struct cpuset reserved = cpuset_and(&left, &in->policy->reserved);
	struct cpuset isolated = cpuset_and(&left, &in->topo->isolated);
	/* "all" has CPUs that this host could not have */
	struct cpuset limit = cpuset_within(&in->topo->online, &vm->limit)
				      ? in->topo->online
				      : vm->limit;
	char cpus[40];
	bool several;
	size_t used;

	if (cpuset_empty(&vm->limit)) {
		(void)snprintf(why, PLAN_WHY_MAX, "its limit is empty");
		return;
	}
	(void)snprintf(why, PLAN_WHY_MAX, "its limit %s",
		cpuset_format(&limit, cpus, sizeof(cpus)));
	several = name_rule("affinity", vm->affinity, why);
	several |= name_rule("cgroup's cpuset", vm->cgroup, why);
	used = strlen(why);
	if (cpuset_empty(&left))
		(void)snprintf(why + used, PLAN_WHY_MAX - used,
			several ? " have no online CPU in common"
				: " has no online CPU");
	else
		(void)snprintf(why + used, PLAN_WHY_MAX - used,
			" %s no usable CPU: %u online, %u reserved, %u isolated",
			several ? "leave" : "has", cpuset_count(&left),
			cpuset_count(&reserved), cpuset_count(&isolated));
}

/* CPUs of the nodes (kernel ids). False when one is not there. */
static bool
cpus_of_nodes(const struct plan_input *in, const struct cpuset *ids, struct cpuset *out,
	unsigned int *missing)
{
	*out = CPUSET_NONE;
	cpuset_foreach (id, ids) {
		int node = topo_node_index(in->topo, id);

		if (node == TOPO_NONE) {
			*missing = id;
			return false;
		}
		*out = cpuset_or(out, &in->topo->nodes[node].cpus);
	}
	return true;
}

/* What host nodes leave of a group's CPUs. False, with the reason, when that is
 * nothing. */
static bool
bind_guest_node(const struct plan_input *in, struct world_group *group, unsigned int g,
	char *why)
{
	const struct cpuset *ids = &group->in->guest_nodes[g].host_nodes;
	struct cpuset may = cpuset_or(&group->allowed, &group->isolated);
	struct cpuset cpus;
	unsigned int missing;
	char nodes[40];
	char limit[60];

	if (!cpus_of_nodes(in, ids, &cpus, &missing)) {
		(void)snprintf(why, PLAN_WHY_MAX,
			"guest node %u is bound to host node %u, which is not there", g,
			missing);
		return false;
	}
	if (cpuset_empty(&cpus)) /* not bound, or to memory alone */
		return true;
	if (!cpuset_overlap(&may, &cpus)) {
		(void)snprintf(why, PLAN_WHY_MAX,
			"guest node %u is bound to host node %s, of which it may use no "
			"CPU: it may use %s",
			g, cpuset_format(ids, nodes, sizeof(nodes)),
			cpuset_format(&may, limit, sizeof(limit)));
		return false;
	}
	group->allowed = cpuset_and(&group->allowed, &cpus);
	group->isolated = cpuset_and(&group->isolated, &cpus);
	return true;
}

static unsigned int
guest_node_of(const struct plan_vm *vm, unsigned int vcpu)
{
	if (vm->n_guest_nodes < 2 || vm->guest_node_of == NULL)
		return 0;
	return vm->guest_node_of[vcpu];
}

/* False, with the reason, when the guest's nodes make no sense. */
static bool
guest_is_sane(const struct plan_vm *vm, char *why)
{
	if (vm->n_guest_nodes > GUEST_NODES_MAX) {
		(void)snprintf(why, PLAN_WHY_MAX, "%u guest nodes, at most %u",
			vm->n_guest_nodes, GUEST_NODES_MAX);
		return false;
	}
	for (unsigned int v = 0; v < vm->n_vcpus; v++) {
		unsigned int g = guest_node_of(vm, v);

		if (g == 0 || g < vm->n_guest_nodes)
			continue;
		(void)snprintf(why, PLAN_WHY_MAX, "vCPU %u is in guest node %u of %u",
			v, g, vm->n_guest_nodes);
		return false;
	}
	return true;
}

/* Returns false, with the reason, when there is nothing to plan for the VM. */
static bool
can_plan(const struct plan_input *in, const struct world_vm *v, char *why)
{
	const struct plan_vm *vm = v->in;

	if ((unsigned int)vm->mode >= PLACE_N_MODES)
		(void)snprintf(why, PLAN_WHY_MAX, "unknown mode %d", (int)vm->mode);
	else if (vm->mode == PLACE_OFF)
		(void)snprintf(why, PLAN_WHY_MAX, "mode off");
	else if (vm->n_vcpus == 0)
		(void)snprintf(why, PLAN_WHY_MAX, "it has no vCPU");
	else if (vm->n_vcpus > PLAN_VCPUS_MAX)
		(void)snprintf(why, PLAN_WHY_MAX, "%u vCPUs, at most %u", vm->n_vcpus,
			PLAN_VCPUS_MAX);
	else if (vm->n_current > vm->n_vcpus)
		(void)snprintf(why, PLAN_WHY_MAX, "masks of %u vCPUs, but it has %u",
			vm->n_current, vm->n_vcpus);
	else if (cpuset_empty(&v->allowed) && cpuset_empty(&v->isolated))
		say_no_cpu(in, vm, why);
	else
		return guest_is_sane(vm, why);
	return false;
}

static enum world_role
role_of(enum place_mode mode, bool loose)
{
	if (!loose &&
		(mode == PLACE_PIN || mode == PLACE_CORE || mode == PLACE_DEDICATED))
		return WORLD_PIN;
	return mode == PLACE_OBSERVE ? WORLD_OBSERVE : WORLD_FLOAT;
}

/* Isolated CPUs it may have: the kernel balances nothing there, so they are for vCPUs
 * that have one CPU each. */
static struct cpuset
isolated_of(const struct plan_input *in, const struct plan_vm *vm)
{
	struct cpuset cpus;

	if (vm->mode != PLACE_PIN && vm->mode != PLACE_DEDICATED)
		return CPUSET_NONE;
	cpus = entry_limit(in, vm);
	cpus = cpuset_and(&cpus, &in->topo->isolated);
	cpus = cpuset_and(&cpus, &in->policy->isolated_usable);
	return cpuset_minus(&cpus, &in->policy->reserved);
}

/* Its waiting is a reason to give it more. Not where that would break what was promised
 * (cores of its own) or would not help: the kernel moves nothing to or from isolated
 * CPUs. */
static bool
may_widen(const struct world_vm *vm)
{
	const struct plan_vm *in = vm->in;

	return in->waited != NULL && in->mode != PLACE_OBSERVE &&
	       in->mode != PLACE_DEDICATED && in->smt != PLACE_SMT_ISOLATE &&
	       cpuset_empty(&vm->isolated) &&
	       cpuset_overlap(&in->waited->idle, &vm->allowed);
}

/* In sixteenths of a CPU, so that sums of demands are exact. */
static double
in_units(double cpus)
{
	double units = (double)(int32_t)(cpus * WAIT_UNIT + 0.5);

	return (units > 1 ? units : 1) / WAIT_UNIT;
}

static double
demand_of(const struct plan_vm *vm)
{
	unsigned int n = vm->n_vcpus < PLAN_VCPUS_MAX ? vm->n_vcpus : PLAN_VCPUS_MAX;
	double demand = n;

	if (vm->demand_vcpus > 0 && vm->demand_vcpus < demand)
		demand = vm->demand_vcpus;
	if (vm->cpulimit > 0 && vm->cpulimit < demand)
		demand = vm->cpulimit;
	return in_units(demand);
}

/* Shares that are none are as good as unknown. */
static const double *
sane_share(const struct plan_input *in, const double *share)
{
	double sum = 0;

	for (unsigned int i = 0; share != NULL && i < in->topo->n_nodes; i++) {
		if (!(share[i] >= 0)) /* also not a number */
			return NULL;
		sum += share[i];
	}
	return sum <= 1 + SHARE_ROUNDING ? share : NULL;
}

/* One more group: the vCPUs of guest node @guest_node, if it has any. False, with the
 * reason, when they may run nowhere. */
static bool
add_group(const struct plan_input *in, struct entries *out, struct world_vm *vm,
	unsigned int guest_node, unsigned int *next)
{
	const struct plan_vm *from = vm->in;
	struct world_group *g = &out->groups[out->n_groups];
	unsigned int *vcpus = vm->vcpus + *next;
	unsigned int n = 0;

	*g = (struct world_group){
		.in = from,
		.role = vm->role,
		.guest_node = guest_node,
		.vcpus = vcpus,
		.allowed = vm->allowed,
		.isolated = vm->isolated,
		.waited = vm->widens ? from->waited : NULL,
		.whole_cores = from->mode == PLACE_CORE,
		.node = -1,
		.first = -1,
		.memory_share = sane_share(in, from->memory_share),
	};
	for (unsigned int v = 0; v < from->n_vcpus; v++) {
		if (guest_node_of(from, v) != guest_node)
			continue;
		vcpus[n++] = v;
		g->n_current += v < from->n_current;
	}
	if (n == 0)
		return true;
	if (guest_node < from->n_guest_nodes) {
		if (!bind_guest_node(in, g, guest_node, vm->out->why))
			return false;
		if (from->guest_nodes[guest_node].memory_share != NULL)
			g->memory_share = sane_share(
				in, from->guest_nodes[guest_node].memory_share);
	}
	*next += n;
	g->n_vcpus = n;
	g->demand = in_units(vm->demand * n / from->n_vcpus);
	out->n_groups++;
	vm->n_groups++;
	return true;
}

static void
add_groups(const struct plan_input *in, struct entries *out, struct world_vm *vm)
{
	unsigned int n = vm->in->n_guest_nodes > 1 ? vm->in->n_guest_nodes : 1;
	unsigned int next = 0;

	vm->first_group = out->n_groups;
	vm->vcpus = xcalloc(vm->in->n_vcpus, sizeof(*vm->vcpus));
	for (unsigned int g = 0; g < n; g++) {
		if (add_group(in, out, vm, g, &next))
			continue;
		out->n_groups = vm->first_group;
		vm->n_groups = 0;
		vm->role = WORLD_LEAVE;
		return;
	}
}

static int
by_id(const void *a, const void *b)
{
	const struct world_vm *x = a;
	const struct world_vm *y = b;

	return strcmp(x->in->id, y->in->id);
}

static unsigned int
most_groups(const struct plan_input *in)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < in->n_vms; i++) {
		unsigned int nodes = in->vms[i].n_guest_nodes;

		n += nodes > 1 && nodes <= GUEST_NODES_MAX ? nodes : 1;
	}
	return n;
}

int
entry_list(const struct plan_input *in, const struct cpuset *usable,
	struct plan_result *results, struct entries *out, struct err *e)
{
	struct entries all = {0};

	all.vms = xcalloc(in->n_vms, sizeof(*all.vms));
	for (unsigned int i = 0; i < in->n_vms; i++) {
		struct cpuset allowed = entry_limit(in, &in->vms[i]);

		all.vms[i] = (struct world_vm){
			.in = &in->vms[i],
			.out = &results[i],
			.role = WORLD_LEAVE,
			.allowed = cpuset_and(&allowed, usable),
			.isolated = isolated_of(in, &in->vms[i]),
			.demand = demand_of(&in->vms[i]),
		};
	}
	qsort(all.vms, in->n_vms, sizeof(*all.vms), by_id);
	for (unsigned int i = 1; i < in->n_vms; i++) {
		if (strcmp(all.vms[i - 1].in->id, all.vms[i].in->id) != 0)
			continue;
		err_set(e, -EINVAL, "", 0, "two VMs with the id %s", all.vms[i].in->id);
		free(all.vms);
		return -EINVAL;
	}
	all.groups = xcalloc(most_groups(in), sizeof(*all.groups));
	for (unsigned int i = 0; i < in->n_vms; i++) {
		struct world_vm *vm = &all.vms[i];

		if (!can_plan(in, vm, vm->out->why))
			continue;
		vm->widens = may_widen(vm);
		vm->role = role_of(vm->in->mode, vm->widens);
		vm->exclusive = vm->role != WORLD_OBSERVE &&
				(vm->in->mode == PLACE_DEDICATED ||
					vm->in->smt == PLACE_SMT_ISOLATE);
		add_groups(in, &all, vm);
		for (unsigned int g = 0; g < vm->n_groups; g++)
			all.groups[vm->first_group + g].vm = i;
	}
	*out = all;
	return 0;
}

void
entry_free(struct entries *e, unsigned int n_vms)
{
	for (unsigned int i = 0; i < e->n_groups; i++)
		free(e->groups[i].pins);
	for (unsigned int i = 0; i < n_vms; i++)
		free(e->vms[i].vcpus);
	free(e->groups);
	free(e->vms);
	*e = (struct entries){0};
}
