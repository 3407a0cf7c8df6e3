// SPDX-License-Identifier: MIT
/* Cores that are a VM's alone: mode dedicated, smt isolate. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/xalloc.h"
#include "expect.h"
#include "fleet.h"

static void
a_dedicated_vm_fills_near_cores_but_never_cpu_0s(void **state)
{
	static const struct {
		const struct host_spec *spec;
		unsigned int vcpus;
		const char *wanted;
	} cases[] = {
		{&host_9354, 4, "1-2,33-34"},
		{&host_9354, 8, "4-7,36-39"},
		{&host_7351p, 4, "2-3,18-19"},
		{&host_xeon_2s, 3, "1-2,33"},
		{&host_hybrid, 4, "1-2,25-26"},
		{&host_flat2, 1, "1"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct host h = host_full(cases[i].spec);
		struct fleet *f = fleet_new(&h);
		struct plan *p;

		fleet_add_id(f, 100, PLACE_DEDICATED, cases[i].vcpus);
		p = fleet_plan(f);
		expect_cpus(
			&p->results[0].domain, cases[i].wanted, cases[i].spec->name);
		for (unsigned int v = 0; v < cases[i].vcpus; v++)
			assert_int_equal(cpuset_count(&p->results[0].vcpus[v]), 1);
		expect_text(p->results[0].why, "of its own");
		plan_free(p);
		fleet_free(f);
		host_fini(&h);
	}
}

static void
guest_threads_of_a_dedicated_vm_are_host_siblings(void **state)
{
	struct host h = host_full(&host_9354);
	struct fleet *f = fleet_new(&h);
	struct fleet_vm *vm = fleet_add_id(f, 100, PLACE_DEDICATED, 6);
	static const uint32_t cores[6] = {0, 1, 2, 0, 1, 2};

	(void)state;
	vm->in.threads_per_core = 2;
	vm->in.guest_core_of = cores;
	fleet_step(f);
	for (unsigned int v = 0; v < 3; v++)
		assert_int_equal(cpuset_next(&vm->masks[v], 0) + 32,
			cpuset_next(&vm->masks[v + 3], 0));
	fleet_free(f);
	host_fini(&h);
}

/* Threads that are not plugged yet find their core free later. */
static void
partly_plugged_guest_cores_have_a_core_each(void **state)
{
	struct host h = host_full(&host_9354);
	struct fleet *f = fleet_new(&h);
	struct fleet_vm *vm = fleet_add_id(f, 100, PLACE_DEDICATED, 2);
	static const uint32_t cores[3] = {0, 1, 0};

	(void)state;
	vm->in.threads_per_core = 2;
	vm->in.guest_core_of = cores;
	fleet_step(f);
	expect_cpus(&vm->masks[0], "1", "first core");
	expect_cpus(&vm->masks[1], "2", "second core");
	vm->in.n_vcpus = 3;
	fleet_step(f);
	expect_cpus(&vm->masks[2], "33", "its second thread");
	fleet_free(f);
	host_fini(&h);
}

/* L3 groups have VMs of 8, 7 ... vCPUs; only the least is asked to give way. @demand:
 * of each, 0: by size. */
static void
expect_fewest_moves(double demand)
{
	static const unsigned int sizes[8] = {8, 7, 6, 5, 2, 6, 7, 8};
	struct host h = host_full(&host_9354);
	struct fleet *f = fleet_new(&h);
	struct plan *p;

	for (unsigned int i = 0; i < 8; i++) {
		struct fleet_vm *vm = fleet_add_id(f, 100 + i, PLACE_AUTO, sizes[i]);
		char mask[32];

		(void)snprintf(mask, sizeof(mask), "%u-%u,%u-%u", 4 * i, 4 * i + 3,
			4 * i + 32, 4 * i + 35);
		vm->masks = xcalloc(sizes[i], sizeof(*vm->masks));
		for (unsigned int v = 0; v < sizes[i]; v++)
			vm->masks[v] = cpus(mask);
		vm->in.n_current = sizes[i];
		vm->in.placed = true;
		vm->in.demand_vcpus = demand;
	}
	fleet_add_id(f, 200, PLACE_DEDICATED, 4);
	p = fleet_plan(f);
	expect_cpus(&p->results[8].domain, "16-17,48-49", "dedicated");
	expect_text(p->results[8].why, "2 vCPUs of other VMs give way");
	for (unsigned int i = 0; i < 8; i++)
		assert_int_equal(
			p->results[i].verdict, i == 4 ? PLAN_PLACE : PLAN_KEEP);
	expect_cpus(&p->results[4].vcpus[0], "18-19,50-51", "the VM that gives way");
	plan_free(p);
	fleet_free(f);
	host_fini(&h);
}

static void
a_late_dedicated_vm_moves_the_fewest_vcpus(void **state)
{
	(void)state;
	expect_fewest_moves(0);
	expect_fewest_moves(2);
}

/* Four cores of a node, then two may be had: it keeps two and goes elsewhere. */
static void
a_smaller_share_of_a_node_makes_it_give_cores_up(void **state)
{
	struct host h = host_full(&host_9354);
	struct fleet *f = fleet_new(&h);
	struct fleet_vm *vm = fleet_add_id(f, 100, PLACE_DEDICATED, 8);

	(void)state;
	fleet_step(f);
	expect_cpus(&vm->masks[0], "4", "at first");
	f->policy.dedicated_max_pct = 25;
	fleet_step(f);
	for (unsigned int v = 0; v < 8; v++)
		assert_int_equal(cpuset_has(&h.topo->nodes[0].cpus,
					 cpuset_next(&vm->masks[v], 0)),
			v < 4);
	expect_cpus(&vm->masks[0], "4", "what it keeps");
	fleet_free(f);
	host_fini(&h);
}

static void
cpus_come_back_when_the_dedicated_vm_is_gone(void **state)
{
	struct host h = host_full(&host_9354);
	struct fleet *f = fleet_new(&h);
	struct fleet_vm *vm;

	(void)state;
	vm = fleet_add_id(f, 100, PLACE_FLOAT, 1);
	vm->in.limit = cpus("0-3,32-35");
	fleet_step(f);
	fleet_add_id(f, 200, PLACE_DEDICATED, 6)->in.limit = cpus("0-3,32-35");
	fleet_step(f);
	expect_cpus(&vm->masks[0], "0,32", "beside the dedicated VM");
	fleet_remove(f, 1);
	fleet_step(f);
	expect_cpus(&vm->masks[0], "0-3,32-35", "alone again");
	fleet_free(f);
	host_fini(&h);
}

static void
a_vm_comes_back_to_where_it_was(void **state)
{
	struct host h = host_full(&host_9354);
	struct fleet *f = fleet_new(&h);
	struct cpuset before;

	(void)state;
	fleet_add_id(f, 100, PLACE_DEDICATED, 4);
	fleet_step(f);
	before = f->vms[0].masks[3];
	fleet_remove(f, 0);
	fleet_step(f);
	fleet_add_id(f, 100, PLACE_DEDICATED, 4);
	fleet_step(f);
	assert_true(cpuset_equal(&f->vms[0].masks[3], &before));
	fleet_free(f);
	host_fini(&h);
}

static void
too_few_cores_leave_it_as_it_is_with_the_numbers(void **state)
{
	struct host h = host_full(&host_7351p);
	struct fleet *f = fleet_new(&h);
	struct plan *p;

	(void)state;
	f->policy.dedicated_max_pct = 50;
	fleet_add_id(f, 100, PLACE_DEDICATED, 20);
	p = fleet_plan(f);
	assert_int_equal(p->results[0].verdict, PLAN_LEAVE);
	assert_string_equal(p->results[0].why,
		"dedicated needs 10 cores of its own: nodes 0-3 can give 2, 2, 2, 2 "
		"(50 % of each node, CPU 0's core never)");
	plan_free(p);
	f->vms[0].in.mode = PLACE_FLOAT;
	f->vms[0].in.smt = PLACE_SMT_ISOLATE;
	f->policy.dedicated_max_pct = 75;
	f->vms[0].in.limit = cpus("0-3");
	p = fleet_plan(f);
	assert_int_equal(p->results[0].verdict, PLAN_LEAVE);
	expect_text(p->results[0].why,
		"smt=isolate needs 20 cores of its own: nodes 0-3 can give 3, 0, 0, 0 ");
	plan_free(p);
	fleet_free(f);
	host_fini(&h);
}

static void
one_that_cannot_be_placed_is_kept_off_others_cores(void **state)
{
	struct host h = host_full(&host_7351p);
	struct fleet *f = fleet_new(&h);

	(void)state;
	f->policy.dedicated_max_pct = 25;
	fleet_add_id(f, 100, PLACE_DEDICATED, 8);
	fleet_add_id(f, 101, PLACE_DEDICATED, 8);
	for (unsigned int round = 0; round < 3; round++) {
		struct plan *p = fleet_plan(f);
		struct cpuset alone = fleet_cores_of(&h, &p->results[0]);

		assert_int_equal(cpuset_count(&alone), 8);
		assert_int_equal(
			p->results[1].verdict, round == 0 ? PLAN_PLACE : PLAN_KEEP);
		assert_false(cpuset_overlap(&alone, &p->results[1].vcpus[7]));
		assert_int_equal(cpuset_count(&p->results[1].vcpus[7]), 24);
		expect_text(p->results[1].why, "dedicated needs 4 cores of its own");
		expect_text(p->results[1].why, "kept off CPUs");
		fleet_apply(f, p);
		plan_free(p);
	}
	fleet_free(f);
	host_fini(&h);
}

static void
a_plugged_vcpu_goes_to_a_sibling_then_to_a_near_core(void **state)
{
	struct host h = host_full(&host_9354);
	struct fleet *f = fleet_new(&h);
	struct fleet_vm *vm = fleet_add_id(f, 100, PLACE_DEDICATED, 3);

	(void)state;
	fleet_step(f);
	expect_cpus(&vm->masks[2], "2", "third");
	vm->in.n_vcpus = 4;
	fleet_step(f);
	expect_cpus(&vm->masks[3], "34", "fourth");
	vm->in.n_vcpus = 5;
	fleet_step(f);
	expect_cpus(&vm->masks[4], "3", "fifth");
	expect_cpus(&vm->masks[0], "1", "first");
	fleet_free(f);
	host_fini(&h);
}

static void
plugged_vcpus_share_its_own_cores_when_there_are_no_more(void **state)
{
	struct host h = host_full(&host_flat2);
	struct fleet *f = fleet_new(&h);
	struct fleet_vm *vm;
	struct plan *p;

	(void)state;
	f->policy.dedicated_max_pct = 50;
	vm = fleet_add_id(f, 100, PLACE_DEDICATED, 1);
	fleet_step(f);
	vm->in.n_vcpus = 3;
	for (unsigned int round = 0; round < 2; round++) {
		p = fleet_plan(f);
		expect_cpus(&p->results[0].vcpus[2], "1", "third");
		expect_text(p->results[0].why, "3 of them share a CPU");
		fleet_apply(f, p);
		plan_free(p);
	}
	fleet_free(f);
	host_fini(&h);
}

static void
isolate_floats_over_cores_of_its_own(void **state)
{
	struct host h = host_full(&host_9354);
	struct fleet *f = fleet_new(&h);
	struct fleet_vm *vm = fleet_add_id(f, 100, PLACE_AUTO, 3);
	struct cpuset had;

	(void)state;
	vm->in.smt = PLACE_SMT_ISOLATE;
	fleet_add_id(f, 101, PLACE_AUTO, 4)->in.limit = cpus("0-3,32-35");
	fleet_step(f);
	for (unsigned int v = 0; v < 3; v++)
		expect_cpus(&vm->masks[v], "1-2,33-34", "isolated from others");
	expect_cpus(&f->vms[1].masks[0], "0,3,32,35", "the other");
	vm->in.n_vcpus = 5;
	fleet_step(f);
	assert_int_equal(cpuset_count(&vm->masks[4]), 6);
	had = cpus("1-2,33-34");
	assert_true(cpuset_within(&had, &vm->masks[4]));
	vm->in.n_vcpus = 2;
	vm->in.n_current = 2;
	fleet_step(f);
	assert_int_equal(cpuset_count(&vm->masks[0]), 2);
	fleet_free(f);
	host_fini(&h);
}

/* The VM had an L3 group with others: it stays within it. */
static void
isolate_narrows_to_cores_it_had(void **state)
{
	struct host h = host_full(&host_9354);
	struct fleet *f = fleet_new(&h);
	struct fleet_vm *vm = fleet_add_id(f, 100, PLACE_AUTO, 4);

	(void)state;
	vm->in.limit = cpus("20-31,52-63");
	fleet_step(f);
	expect_cpus(&vm->masks[0], "20-23,52-55", "at first");
	vm->in.smt = PLACE_SMT_ISOLATE;
	fleet_step(f);
	expect_cpus(&vm->masks[0], "20-21,52-53", "isolated");
	fleet_free(f);
	host_fini(&h);
}

static void
core_and_isolate_give_each_vcpu_a_core_for_itself(void **state)
{
	struct host h = host_full(&host_9354);
	struct fleet *f = fleet_new(&h);
	struct fleet_vm *vm = fleet_add_id(f, 100, PLACE_CORE, 3);
	struct plan *p;

	(void)state;
	vm->in.smt = PLACE_SMT_ISOLATE;
	fleet_step(f);
	expect_cpus(&vm->masks[0], "1,33", "first");
	expect_cpus(&vm->masks[2], "3,35", "third");
	p = fleet_plan(f);
	assert_int_equal(p->results[0].verdict, PLAN_KEEP);
	plan_free(p);
	fleet_free(f);
	host_fini(&h);
}

static void
guest_nodes_of_a_dedicated_vm_stay_on_their_host_nodes(void **state)
{
	static const uint16_t node_of[8] = {0, 0, 0, 0, 1, 1, 1, 1};
	struct plan_guest_node nodes[2] = {
		{.host_nodes = cpuset_of(2)}, {.host_nodes = cpuset_of(1)}};
	struct host h = host_full(&host_9354);
	struct fleet *f = fleet_new(&h);
	struct fleet_vm *vm = fleet_add_id(f, 100, PLACE_DEDICATED, 8);
	struct plan *p;

	(void)state;
	vm->in.n_guest_nodes = 2;
	vm->in.guest_nodes = nodes;
	vm->in.guest_node_of = node_of;
	p = fleet_plan(f);
	for (unsigned int v = 0; v < 8; v++)
		assert_true(cpuset_within(
			&p->results[0].vcpus[v], &h.topo->nodes[v < 4 ? 2 : 1].cpus));
	expect_text(p->results[0].why, "guest node 1: ");
	plan_free(p);
	nodes[1].host_nodes = cpuset_of(2);
	f->policy.dedicated_max_pct = 40; /* 3 of 8 cores */
	p = fleet_plan(f);
	assert_int_equal(p->results[0].verdict, PLAN_LEAVE);
	expect_text(p->results[0].why, "dedicated needs 4 cores of its own");
	plan_free(p);
	fleet_free(f);
	host_fini(&h);
}

static void
memory_and_devices_draw_it_to_their_node(void **state)
{
	struct host h = host_full(&host_9354);
	struct fleet *f = fleet_new(&h);
	struct fleet_vm *vm = fleet_add_id(f, 100, PLACE_DEDICATED, 4);

	(void)state;
	vm->memory[3] = 1;
	vm->started = true;
	fleet_add_id(f, 101, PLACE_DEDICATED, 4)->in.pci_nodes = cpuset_of(2);
	fleet_step(f);
	assert_true(cpuset_within(&f->vms[0].masks[0], &h.topo->nodes[3].cpus));
	assert_true(cpuset_within(&f->vms[1].masks[0], &h.topo->nodes[2].cpus));
	fleet_free(f);
	host_fini(&h);
}

static void
other_vms_keep_a_cpu_that_is_nobodys_alone(void **state)
{
	struct host h = host_full(&host_9354);
	struct fleet *f = fleet_new(&h);
	struct plan *p;

	(void)state;
	fleet_add_id(f, 100, PLACE_FLOAT, 2)->in.limit = cpus("1,33");
	fleet_add_id(f, 101, PLACE_OFF, 2)->in.limit = cpus("2");
	fleet_add_id(f, 200, PLACE_DEDICATED, 2)->in.limit = cpus("0-3,32-35");
	p = fleet_plan(f);
	expect_cpus(&p->results[2].domain, "3,35", "dedicated");
	expect_cpus(&p->results[0].domain, "1,33", "the other");
	plan_free(p);
	fleet_free(f);
	host_fini(&h);
}

static void
a_vm_that_is_off_by_itself_is_kept_off_and_let_back(void **state)
{
	struct host h = host_full(&host_9354);
	struct fleet *f = fleet_new(&h);
	struct plan *p;

	(void)state;
	fleet_add_id(f, 100, PLACE_OFF, 2);
	fleet_add_id(f, 101, PLACE_OFF, 2)->in.off_by_admin = true;
	p = fleet_plan(f);
	assert_int_equal(p->results[0].verdict, PLAN_LEAVE);
	plan_free(p);
	fleet_add_id(f, 200, PLACE_DEDICATED, 4);
	p = fleet_plan(f);
	assert_int_equal(p->results[0].verdict, PLAN_PLACE);
	assert_true(p->results[0].apply);
	expect_cpus(&p->results[0].vcpus[1], "0,3-32,35-63", "kept off");
	assert_int_equal(p->results[1].verdict, PLAN_LEAVE);
	expect_text(p->results[2].why, "can still run there: 101");
	fleet_apply(f, p);
	plan_free(p);
	fleet_remove(f, 2);
	fleet_step(f);
	expect_cpus(&f->vms[0].masks[1], "0-63", "let back");
	fleet_free(f);
	host_fini(&h);
}

static void
the_emulator_stays_with_its_cores_unless_it_is_isolated(void **state)
{
	struct host h = host_full(&host_9354);
	struct fleet *f = fleet_new(&h);
	struct plan *p;

	(void)state;
	fleet_add_id(f, 100, PLACE_DEDICATED, 4);
	fleet_add_id(f, 101, PLACE_DEDICATED, 4)->in.emulator = PLACE_EMULATOR_FOLLOW;
	fleet_add_id(f, 102, PLACE_DEDICATED, 4)->in.emulator = PLACE_EMULATOR_ISOLATE;
	p = fleet_plan(f);
	for (unsigned int i = 0; i < 2; i++)
		assert_true(
			cpuset_equal(&p->results[i].emulator, &p->results[i].domain));
	for (unsigned int i = 0; i < 3; i++)
		assert_false(
			cpuset_overlap(&p->results[2].emulator, &p->results[i].domain));
	assert_int_equal(cpuset_count(&p->results[2].emulator), 2);
	plan_free(p);
	f->policy.reserved = cpus("31,63");
	p = fleet_plan(f);
	expect_cpus(&p->results[2].emulator, "31,63", "reserved");
	plan_free(p);
	fleet_free(f);
	host_fini(&h);
}

static void
absurd_sizes_are_refused_in_time(void **state)
{
	struct host h = host_full(&host_9654_2s);
	struct fleet *f = fleet_new(&h);
	struct fleet_vm *vm = fleet_add_id(f, 100, PLACE_DEDICATED, 8);
	struct plan *p;

	(void)state;
	fleet_step(f);
	vm->in.n_vcpus = PLAN_VCPUS_MAX;
	p = fleet_plan(f);
	assert_int_equal(p->results[0].verdict, PLAN_PLACE);
	expect_text(p->results[0].why, "4096 of them share a CPU");
	plan_free(p);
	vm->in.placed = false;
	p = fleet_plan(f);
	assert_int_equal(p->results[0].verdict, PLAN_LEAVE);
	plan_free(p);
	fleet_free(f);
	host_fini(&h);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_dedicated_vm_fills_near_cores_but_never_cpu_0s),
		cmocka_unit_test(guest_threads_of_a_dedicated_vm_are_host_siblings),
		cmocka_unit_test(partly_plugged_guest_cores_have_a_core_each),
		cmocka_unit_test(a_late_dedicated_vm_moves_the_fewest_vcpus),
		cmocka_unit_test(a_smaller_share_of_a_node_makes_it_give_cores_up),
		cmocka_unit_test(cpus_come_back_when_the_dedicated_vm_is_gone),
		cmocka_unit_test(a_vm_comes_back_to_where_it_was),
		cmocka_unit_test(too_few_cores_leave_it_as_it_is_with_the_numbers),
		cmocka_unit_test(one_that_cannot_be_placed_is_kept_off_others_cores),
		cmocka_unit_test(a_plugged_vcpu_goes_to_a_sibling_then_to_a_near_core),
		cmocka_unit_test(
			plugged_vcpus_share_its_own_cores_when_there_are_no_more),
		cmocka_unit_test(isolate_floats_over_cores_of_its_own),
		cmocka_unit_test(isolate_narrows_to_cores_it_had),
		cmocka_unit_test(core_and_isolate_give_each_vcpu_a_core_for_itself),
		cmocka_unit_test(
			guest_nodes_of_a_dedicated_vm_stay_on_their_host_nodes),
		cmocka_unit_test(memory_and_devices_draw_it_to_their_node),
		cmocka_unit_test(other_vms_keep_a_cpu_that_is_nobodys_alone),
		cmocka_unit_test(a_vm_that_is_off_by_itself_is_kept_off_and_let_back),
		cmocka_unit_test(
			the_emulator_stays_with_its_cores_unless_it_is_isolated),
		cmocka_unit_test(absurd_sizes_are_refused_in_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
