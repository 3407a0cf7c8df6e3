// SPDX-License-Identifier: MIT
/*
 * VMs with cores of their own that lack some: what they have then is what the next plan
 * would give them, too.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/xalloc.h"
#include "expect.h"
#include "fleet.h"

/* The first guest node is bound to host node 0, the second one is not. */
static struct plan_guest_node guest_nodes[2];
static const uint16_t last_in_first[] = {1, 1, 0};

/* EPYC 9354 with two cores in each node that may be somebody's alone. */
static struct fleet *
two_cores_each(struct host *h)
{
	struct fleet *f;

	*h = host_full(&host_9354);
	f = fleet_new(h);
	f->policy.dedicated_max_pct = 25;
	guest_nodes[0].host_nodes = cpus("0");
	return f;
}

/* It has two vCPUs of its second guest node, one on each mask, and now one of the
 * first, for which it has nothing. */
static struct fleet_vm *
add_plugged(struct fleet *f, const char *id, const char *first, const char *second)
{
	struct fleet_vm *vm = fleet_add(f, id, PLACE_DEDICATED, 3);

	vm->in.n_guest_nodes = 2;
	vm->in.guest_nodes = guest_nodes;
	vm->in.guest_node_of = last_in_first;
	vm->masks = xcalloc(2, sizeof(*vm->masks));
	vm->masks[0] = cpus(first);
	vm->masks[1] = cpus(second);
	vm->in.n_current = 2;
	vm->in.placed = true;
	vm->in.own = true;
	return vm;
}

static void
expect_settled(struct fleet *f)
{
	struct plan *p = fleet_plan(f);

	for (unsigned int i = 0; i < p->n; i++) {
		if (p->results[i].verdict == PLAN_PLACE)
			fail_msg("vm %s: %s", f->vms[i].id, p->results[i].why);
	}
	plan_free(p);
}

static void
cores_that_cannot_be_added_to_are_given_up_for_others(void **state)
{
	struct host h;
	struct fleet *f = two_cores_each(&h);
	struct fleet_vm *vm = add_plugged(f, "100", "1", "2");
	struct plan *p;

	(void)state;
	p = fleet_plan(f);
	assert_int_equal(p->results[0].verdict, PLAN_PLACE);
	assert_true(p->results[0].own);
	assert_true(cpuset_within(&p->results[0].vcpus[2], &h.topo->nodes[0].cpus));
	fleet_apply(f, p);
	plan_free(p);
	assert_int_equal(vm->in.n_current, 3);
	expect_settled(f);
	fleet_free(f);
	host_fini(&h);
}

/* What 101 gives up, 100 gets at once, though it was asked before. */
static void
what_one_gives_up_another_gets_in_the_same_plan(void **state)
{
	struct host h;
	struct fleet *f = two_cores_each(&h);
	struct fleet_vm *vm = fleet_add(f, "100", PLACE_AUTO, 4);
	struct cpuset both = cpus("1-2,33-34");

	(void)state;
	vm->in.smt = PLACE_SMT_ISOLATE;
	vm->in.limit = cpus("0-7,32-39");
	vm->masks = xcalloc(4, sizeof(*vm->masks));
	for (unsigned int v = 0; v < 4; v++)
		vm->masks[v] = cpus("1,33");
	vm->in.n_current = 4;
	vm->in.placed = true;
	vm->in.own = true;
	vm = add_plugged(f, "101", "2", "10");
	fleet_step(f);
	vm = &f->vms[0];
	for (unsigned int v = 0; v < 4; v++)
		assert_int_equal(cpuset_count(&vm->masks[v]), 4);
	assert_true(cpuset_overlap(&vm->masks[0], &both));
	expect_settled(f);
	fleet_free(f);
	host_fini(&h);
}

/* It stays where it is, on an isolated CPU. Its first guest node would find two more,
 * but in vain: then there is none for the last vCPU of the second one. */
static void
isolated_cpus_are_not_taken_by_a_vm_that_is_refused(void **state)
{
	struct cpuset none = CPUSET_NONE;
	struct cpuset isolated = cpus("8-10");
	struct host h = host_make(&host_9354, &none, &isolated);
	struct fleet *f = fleet_new(&h);
	static const struct plan_guest_node anywhere[2];
	static const uint16_t ends_in_second[] = {1, 0, 0, 1};
	struct fleet_vm *vm;
	struct plan *p;

	(void)state;
	f->policy.isolated_usable = isolated;
	vm = fleet_add(f, "100", PLACE_DEDICATED, 4);
	vm->in.limit = isolated;
	vm->in.n_guest_nodes = 2;
	vm->in.guest_nodes = anywhere;
	vm->in.guest_node_of = ends_in_second;
	vm->masks = xcalloc(1, sizeof(*vm->masks));
	vm->masks[0] = cpus("8");
	vm->in.n_current = 1;
	vm->in.placed = true;
	vm->in.own = true;
	(void)fleet_add(f, "101", PLACE_PIN, 2);
	f->vms[1].in.limit = isolated;
	p = fleet_plan(f);
	assert_int_equal(p->results[0].verdict, PLAN_LEAVE);
	assert_true(p->results[0].own); /* of CPU 8's core */
	assert_int_equal(p->results[1].verdict, PLAN_PLACE);
	isolated = cpus("9-10");
	assert_true(cpuset_equal(&p->results[1].domain, &isolated));
	plan_free(p);
	fleet_free(f);
	host_fini(&h);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cores_that_cannot_be_added_to_are_given_up_for_others),
		cmocka_unit_test(what_one_gives_up_another_gets_in_the_same_plan),
		cmocka_unit_test(isolated_cpus_are_not_taken_by_a_vm_that_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
