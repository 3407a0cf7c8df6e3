// SPDX-License-Identifier: MIT
/* The fleet is made by hand, so that it does not depend on where the planner would put
 * its VMs. */
#include "config.h"

#include "quiet.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/xalloc.h"

struct cpuset
quiet_cpus(const char *text)
{
	struct cpuset s = CPUSET_NONE;

	assert_int_equal(cpuset_parse(text, &s), 0);
	return s;
}

struct fleet_vm *
quiet_add(struct fleet *f, const char *id, unsigned int n_vcpus, const char *mask)
{
	struct fleet_vm *vm = fleet_add(f, id, PLACE_AUTO, n_vcpus);

	vm->masks = xcalloc(n_vcpus, sizeof(*vm->masks));
	for (unsigned int v = 0; v < n_vcpus; v++)
		vm->masks[v] = quiet_cpus(mask);
	vm->in.n_current = n_vcpus;
	vm->in.placed = true;
	vm->in.changed_s = PLAN_NEVER_S;
	vm->in.threads_per_core = 2;
	vm->in.demand_vcpus = n_vcpus / 2.0;
	vm->memory[0] = 1;
	vm->started = true;
	return vm;
}

struct fleet *
quiet_fleet(const struct host *h)
{
	struct fleet *f = fleet_new(h);

	f->policy.rebalance = true;
	f->policy.rebalance_vms = QUIET_PLENTY;
	f->policy.rebalance_vcpus = QUIET_PLENTY;
	f->policy.now_s = 1000;
	return f;
}

bool
quiet_has_cores(const struct host *h, const struct plan_result *r)
{
	struct cpuset all = CPUSET_NONE;

	for (unsigned int v = 0; v < r->n_vcpus; v++) {
		const struct topo_pu *pu =
			topo_pu_of(h->topo, cpuset_next(&r->vcpus[v], 0));

		if (!cpuset_equal(&r->vcpus[v], &h->topo->cores[pu->core].cpus) ||
			!cpuset_equal(&r->vcpus[v], &r->vcpus[v & ~1u]))
			return false;
		all = cpuset_or(&all, &r->vcpus[v]);
	}
	return cpuset_count(&all) == r->n_vcpus;
}

bool
quiet_has_mask(const struct plan_result *r, const char *mask)
{
	struct cpuset s = quiet_cpus(mask);

	for (unsigned int v = 0; v < r->n_vcpus; v++) {
		if (!cpuset_equal(&r->vcpus[v], &s))
			return false;
	}
	return r->n_vcpus > 0;
}

struct fleet *
quiet_narrowed(const struct host *h, unsigned int n_vcpus)
{
	struct fleet *f = quiet_fleet(h);
	struct plan *p;

	quiet_add(f, "100", n_vcpus, QUIET_L3);
	p = fleet_plan(f);
	assert_true(p->results[0].rebalanced);
	assert_true(quiet_has_cores(h, &p->results[0]));
	fleet_apply(f, p);
	plan_free(p);
	return f;
}
