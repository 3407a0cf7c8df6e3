// SPDX-License-Identifier: MIT
/* What must hold of VMs of mode auto that have whole cores, and of pinned ones. */
#include "config.h"

#include "invariants.h"

static unsigned int
guest_core_of(const struct plan_vm *vm, unsigned int vcpu)
{
	return vm->guest_core_of != NULL ? vm->guest_core_of[vcpu]
					 : vcpu / vm->threads_per_core;
}

/* No other VM whose masks are known may run on @cpus. */
static bool
nobody_else_on(const struct plan_input *in, const struct plan *p, unsigned int vm,
	const struct cpuset *cpus)
{
	for (unsigned int i = 0; i < p->n; i++) {
		const struct plan_result *r = &p->results[i];

		if (i == vm)
			continue;
		if (r->apply && cpuset_overlap(&r->domain, cpus))
			return false;
		for (unsigned int v = 0; !r->apply && v < in->vms[i].n_current; v++) {
			if (cpuset_overlap(&in->vms[i].current[v], cpus))
				return false;
		}
	}
	return true;
}

/* The mask is a core with as many threads as the guest's, and no vCPU has a part of it
 * but its siblings, which have all of it. */
static bool
is_core_of(const struct topo *t, const struct plan_vm *in, const struct plan_result *r,
	unsigned int vcpu)
{
	const struct cpuset *mask = &r->vcpus[vcpu];
	const struct topo_pu *pu = topo_pu_of(t, cpuset_next(mask, 0));

	if (pu == NULL || !cpuset_equal(mask, &t->cores[pu->core].cpus) ||
		cpuset_count(mask) != in->threads_per_core)
		return false;
	for (unsigned int k = 0; k < vcpu; k++) {
		if (cpuset_overlap(mask, &r->vcpus[k]) !=
			(guest_core_of(in, vcpu) == guest_core_of(in, k)))
			return false;
	}
	return true;
}

bool
invariants_is_narrowed(const struct plan_vm *in, const struct plan_result *r)
{
	if (in->mode != PLACE_AUTO || in->n_guest_nodes > 1)
		return false;
	for (unsigned int v = 1; v < r->n_vcpus; v++) {
		if (!cpuset_equal(&r->vcpus[v], &r->vcpus[0]))
			return true;
	}
	return false;
}

bool
invariants_is_earlier(
	const struct plan_vm *in, const struct plan_result *r, unsigned int vcpu)
{
	return in->placed && r->tier == TOPO_NONE &&
	       cpuset_equal(&r->vcpus[vcpu], &r->domain);
}

bool
invariants_cores_ok(const struct plan_input *in, const struct plan *p, unsigned int vm)
{
	const struct plan_vm *v = &in->vms[vm];
	const struct plan_result *r = &p->results[vm];
	bool had = v->placed && v->n_current == r->n_vcpus;

	if (v->threads_per_core < 2 || v->cpulimit > 0)
		return false;
	for (unsigned int i = 0; i < r->n_vcpus; i++) {
		if (!is_core_of(in->topo, v, r, i))
			return false;
		had = had && cpuset_equal(&r->vcpus[i], &v->current[i]);
	}
	return cpuset_count(&r->domain) == r->n_vcpus &&
	       nobody_else_on(in, p, vm, &r->domain) &&
	       (had || (in->policy->rebalance && r->rebalanced));
}

static bool
is_pinned(const struct plan_vm *vm)
{
	return vm->mode == PLACE_PIN || vm->mode == PLACE_CORE ||
	       vm->mode == PLACE_DEDICATED;
}

bool
invariants_homes_ok(const struct plan_vm *in, const struct plan_result *r)
{
	bool ok = is_pinned(in) || r->home == NULL;

	for (unsigned int v = 0; v < in->n_current && v < r->n_vcpus; v++) {
		const struct cpuset *now = &r->vcpus[v];
		bool stays = cpuset_equal(&in->current[v], now);
		bool was = in->home != NULL && !cpuset_empty(&in->home[v]);

		if (is_pinned(in) && r->rebalanced && !stays)
			ok &= was && cpuset_within(&in->home[v], now);
		if (r->home != NULL && !cpuset_empty(&r->home[v]))
			ok &= !cpuset_equal(&r->home[v], now) &&
			      (was || !cpuset_overlap(&in->current[v], now));
	}
	return ok;
}
