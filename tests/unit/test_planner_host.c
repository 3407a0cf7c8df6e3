// SPDX-License-Identifier: MIT
/* Odd hosts and what others do on them: two kinds of cores, nodes without CPUs, CPUs
 * without node, L3 groups over several nodes, load that is not the VMs'. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "expect.h"
#include "fleet.h"

static void
assert_inside(const struct plan_result *r, const char *text)
{
	struct cpuset inside = cpus(text);

	if (r->n_vcpus == 0 || !cpuset_within(&r->domain, &inside))
		fail_msg("not inside %s: %s", text, r->why);
}

static void
assert_outside(const struct plan_result *r, const char *text)
{
	struct cpuset outside = cpus(text);

	if (r->n_vcpus == 0 || cpuset_overlap(&r->domain, &outside))
		fail_msg("not outside %s: %s", text, r->why);
}

/* 8 performance cores with two threads each (0-15), 16 efficiency cores (16-31), one
 * L3, one node. */
static struct host
hybrid(void)
{
	struct topo_cpu_facts facts[32];
	struct topo_node_facts node = {.id = 0};
	struct topo_facts f = {
		.n_cpus = 32, .cpus = facts, .n_nodes = 1, .nodes = &node};

	for (unsigned int i = 0; i < 32; i++) {
		facts[i] = (struct topo_cpu_facts){.cpu = i,
			.core_key = i < 16 ? i / 2 : i,
			.l2_key = i < 16 ? i / 2 : 100 + i / 4,
			.l3_key = 0,
			.package_id = 0,
			.node_id = 0,
			.kind = i < 16 ? TOPO_KIND_PERFORMANCE : TOPO_KIND_EFFICIENCY};
	}
	return host_of(&f);
}

static void
vms_go_to_performance_cores_until_those_are_crowded(void **state)
{
	struct host h = hybrid();
	struct fleet *f = fleet_new(&h);
	struct cpuset small = cpus("16-31");
	struct plan *p;

	(void)state;
	fleet_add(f, "100", PLACE_AUTO, 4);
	fleet_step(f);
	fleet_add(f, "101", PLACE_AUTO, 4);
	fleet_step(f);
	fleet_add(f, "102", PLACE_AUTO, 4);
	p = fleet_plan(f);
	assert_inside(&p->results[0], "0-15");
	assert_inside(&p->results[1], "0-15");
	if (!cpuset_overlap(&p->results[2].domain, &small))
		fail_msg("%s", p->results[2].why);
	plan_free(p);
	fleet_free(f);
	host_fini(&h);
}

static void
a_vm_larger_than_either_kind_has_both(void **state)
{
	struct host h = hybrid();
	struct fleet *f = fleet_new(&h);
	struct plan *p;

	(void)state;
	fleet_add(f, "100", PLACE_AUTO, 20);
	p = fleet_plan(f);
	assert_true(cpuset_equal(&p->results[0].domain, &h.topo->online));
	plan_free(p);
	fleet_free(f);
	host_fini(&h);
}

/* Two nodes of 4 cores and two of memory: 2 is near 0, 3 is near 1. */
static struct host
with_memory_nodes(void)
{
	static unsigned int distances[16] = {
		10, 20, 14, 28, 20, 10, 28, 14, 14, 28, 10, 40, 28, 14, 40, 10};
	struct topo_cpu_facts facts[8];
	struct topo_node_facts nodes[4];
	struct topo_facts f = {.n_cpus = 8,
		.cpus = facts,
		.n_nodes = 4,
		.nodes = nodes,
		.distances = distances};

	for (unsigned int i = 0; i < 8; i++) {
		facts[i] = (struct topo_cpu_facts){.cpu = i,
			.core_key = i,
			.l2_key = i,
			.l3_key = i / 4,
			.package_id = i / 4,
			.node_id = (int)(i / 4)};
	}
	for (unsigned int i = 0; i < 4; i++)
		nodes[i] = (struct topo_node_facts){.id = i};
	return host_of(&f);
}

static void
memory_of_a_node_without_cpus_draws_to_the_nearest(void **state)
{
	static const double on[2][4] = {{0, 0, 1, 0}, {0, 0, 0, 1}};
	struct host h = with_memory_nodes();

	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		struct fleet *f = fleet_new(&h);
		struct plan *p;

		fleet_add(f, "100", PLACE_AUTO, 3)->in.memory_share = on[i];
		p = fleet_plan(f);
		assert_inside(&p->results[0], i == 0 ? "0-3" : "4-7");
		plan_free(p);
		fleet_free(f);
	}
	host_fini(&h);
}

static void
a_guest_node_may_be_bound_to_nodes_without_cpus(void **state)
{
	static const struct {
		const char *host_nodes;
		const char *inside;
	} cases[] = {{"0,3", "0-3"}, {"1-2", "4-7"}, {"2", "0-3"}, {"3", "4-7"}};
	struct host h = with_memory_nodes();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct fleet *f = fleet_new(&h);
		struct plan_guest_node bound = {
			.host_nodes = cpus(cases[i].host_nodes)};
		struct fleet_vm *vm = fleet_add(f, "100", PLACE_AUTO, 3);
		struct plan *p;

		vm->in.n_guest_nodes = 1;
		vm->in.guest_nodes = &bound;
		p = fleet_plan(f);
		assert_inside(&p->results[0], cases[i].inside);
		plan_free(p);
		fleet_free(f);
	}
	host_fini(&h);
}

/* CPUs 0-3 are of node 0, 4-7 of none. */
static struct host
with_homeless_cpus(void)
{
	struct topo_cpu_facts facts[8];
	struct topo_node_facts node = {.id = 0};
	struct topo_facts f = {
		.n_cpus = 8, .cpus = facts, .n_nodes = 1, .nodes = &node};

	for (unsigned int i = 0; i < 8; i++) {
		facts[i] = (struct topo_cpu_facts){.cpu = i,
			.core_key = i,
			.l2_key = i,
			.l3_key = i / 4,
			.package_id = 0,
			.node_id = i < 4 ? 0 : TOPO_NONE};
	}
	return host_of(&f);
}

static void
cpus_without_node_are_used_but_not_for_memory(void **state)
{
	static const double on_0[1] = {1};
	struct host h = with_homeless_cpus();
	struct fleet *f = fleet_new(&h);
	struct plan *p;

	(void)state;
	fleet_add(f, "100", PLACE_AUTO, 2)->in.memory_share = on_0;
	fleet_add(f, "101", PLACE_AUTO, 4)->in.limit = cpus("4-7");
	fleet_add(f, "102", PLACE_AUTO, 8);
	p = fleet_plan(f);
	assert_inside(&p->results[0], "0-3");
	assert_inside(&p->results[1], "4-7");
	assert_int_equal(p->results[2].verdict, PLAN_PLACE);
	plan_free(p);
	fleet_free(f);
	host_fini(&h);
}

static void
a_vm_has_the_node_of_its_memory_within_an_l3_over_several(void **state)
{
	static const double on[4] = {0, 0, 0, 1};
	struct host h = host_full(&host_snc);
	struct fleet *f = fleet_new(&h);
	struct plan *p;

	(void)state;
	fleet_add(f, "100", PLACE_AUTO, 8)->in.memory_share = on;
	p = fleet_plan(f);
	assert_true(cpuset_within(&p->results[0].domain, &h.topo->nodes[3].cpus));
	plan_free(p);
	fleet_free(f);
	host_fini(&h);
}

static void
vms_go_to_the_node_of_their_devices(void **state)
{
	struct host h = host_full(&host_9354);
	struct fleet *f = fleet_new(&h);
	struct plan *p;

	(void)state;
	fleet_add(f, "100", PLACE_AUTO, 4)->in.pci_nodes = cpus("2");
	fleet_add(f, "101", PLACE_AUTO, 4)->in.pci_nodes = cpus("1,3");
	fleet_add(f, "102", PLACE_AUTO, 4)->in.pci_nodes = cpus("99");
	p = fleet_plan(f);
	assert_inside(&p->results[0], "16-23,48-55");
	assert_inside(&p->results[1], "8-15,24-31,40-47,56-63");
	assert_int_equal(p->results[2].verdict, PLAN_PLACE);
	plan_free(p);
	fleet_free(f);
	host_fini(&h);
}

static void
devices_matter_less_than_memory(void **state)
{
	static const double on_0[4] = {1, 0, 0, 0};
	struct host h = host_full(&host_9354);
	struct fleet *f = fleet_new(&h);
	struct fleet_vm *vm = fleet_add(f, "100", PLACE_AUTO, 4);
	struct plan *p;

	(void)state;
	vm->in.pci_nodes = cpus("2");
	vm->in.memory_share = on_0;
	p = fleet_plan(f);
	assert_inside(&p->results[0], "0-7,32-39");
	plan_free(p);
	fleet_free(f);
	host_fini(&h);
}

/* Memory on node 0, where all cores have a vCPU. */
static void
smt_avoid_goes_to_free_cores_even_far_from_its_memory(void **state)
{
	static const double on_0[4] = {1, 0, 0, 0};
	struct host h = host_full(&host_9354);

	(void)state;
	for (unsigned int avoid = 0; avoid < 2; avoid++) {
		struct fleet *f = fleet_new(&h);
		struct fleet_vm *vm = fleet_add(f, "100", PLACE_AUTO, 7);
		struct plan *p;

		vm->in.limit = h.topo->nodes[0].cpus;
		fleet_step(f);
		vm = fleet_add(f, "101", PLACE_AUTO, 4);
		vm->in.memory_share = on_0;
		vm->in.smt = avoid ? PLACE_SMT_AVOID : PLACE_SMT_SHARE;
		p = fleet_plan(f);
		if (avoid)
			assert_outside(&p->results[1], "0-7,32-39");
		else
			assert_inside(&p->results[1], "0-7,32-39");
		plan_free(p);
		fleet_free(f);
	}
	host_fini(&h);
}

/* Others use node 0's first L3 group. */
static double *
busy_group(const struct host *h, double each)
{
	struct cpuset group = cpus("0-3,32-35");
	double *load = xcalloc(h->topo->n_pus, sizeof(*load));

	cpuset_foreach (cpu, &group)
		load[h->topo->pu_of_cpu[cpu]] = each;
	return load;
}

static void
newcomers_keep_away_from_what_others_use(void **state)
{
	static const enum place_mode modes[] = {PLACE_AUTO, PLACE_PIN};
	struct host h = host_full(&host_9354);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		struct fleet *f = fleet_new(&h);
		double *load = busy_group(&h, 0.6);
		struct plan *p;

		fleet_add(f, "100", modes[i], 4);
		p = fleet_plan(f);
		assert_inside(&p->results[0], "0-3,32-35");
		plan_free(p);
		f->background = load;
		p = fleet_plan(f);
		assert_outside(&p->results[0], "0-3,32-35");
		plan_free(p);
		free(load);
		fleet_free(f);
	}
	host_fini(&h);
}

/* Its limit is the busy group and the one beside it. It would fit the first. */
static void
load_of_others_makes_a_newcomer_wider(void **state)
{
	struct host h = host_full(&host_9354);
	struct fleet *f = fleet_new(&h);
	double *load = xcalloc(h.topo->n_pus, sizeof(*load));
	struct plan *p;

	(void)state;
	fleet_add(f, "100", PLACE_AUTO, 8)->in.limit = cpus("0-7");
	fleet_add(f, "101", PLACE_AUTO, 4)->in.limit = cpus("0-7");
	for (unsigned int i = 0; i < 8; i++)
		load[i] = 0.5;
	f->background = load;
	p = fleet_plan(f);
	for (unsigned int i = 0; i < 2; i++) {
		struct cpuset all = cpus("0-7");

		if (!cpuset_equal(&p->results[i].domain, &all))
			fail_msg("%s", p->results[i].why);
	}
	plan_free(p);
	free(load);
	fleet_free(f);
	host_fini(&h);
}

static void
load_of_others_moves_nobody_who_is_placed(void **state)
{
	struct host h = host_full(&host_9354);
	struct fleet *f = fleet_new(&h);
	double *load = busy_group(&h, 1);
	struct plan *p;

	(void)state;
	for (unsigned int i = 0; i < 6; i++) {
		fleet_add_id(f, 100 + i, PLACE_AUTO, 4);
		fleet_step(f);
	}
	f->background = load;
	p = fleet_plan(f);
	for (unsigned int i = 0; i < 6; i++) {
		if (p->results[i].verdict != PLAN_KEEP)
			fail_msg("%s", p->results[i].why);
	}
	plan_free(p);
	free(load);
	fleet_free(f);
	host_fini(&h);
}

static void
nonsense_for_load_is_none_or_all(void **state)
{
	static const struct {
		double given;
		double taken;
	} cases[] = {{-3, 0}, {NAN, 0}, {7, 1}, {INFINITY, 1}};
	struct host h = host_full(&host_9354);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct fleet *f = fleet_new(&h);
		double *given = busy_group(&h, cases[i].given);
		double *taken = busy_group(&h, cases[i].taken);
		struct plan *p;
		struct plan *wanted;

		fleet_add(f, "100", PLACE_AUTO, 4);
		f->background = given;
		p = fleet_plan(f);
		f->background = taken;
		wanted = fleet_plan(f);
		assert_true(cpuset_equal(
			&p->results[0].domain, &wanted->results[0].domain));
		plan_free(p);
		plan_free(wanted);
		free(given);
		free(taken);
		fleet_free(f);
	}
	host_fini(&h);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vms_go_to_performance_cores_until_those_are_crowded),
		cmocka_unit_test(a_vm_larger_than_either_kind_has_both),
		cmocka_unit_test(memory_of_a_node_without_cpus_draws_to_the_nearest),
		cmocka_unit_test(a_guest_node_may_be_bound_to_nodes_without_cpus),
		cmocka_unit_test(cpus_without_node_are_used_but_not_for_memory),
		cmocka_unit_test(
			a_vm_has_the_node_of_its_memory_within_an_l3_over_several),
		cmocka_unit_test(vms_go_to_the_node_of_their_devices),
		cmocka_unit_test(devices_matter_less_than_memory),
		cmocka_unit_test(smt_avoid_goes_to_free_cores_even_far_from_its_memory),
		cmocka_unit_test(newcomers_keep_away_from_what_others_use),
		cmocka_unit_test(load_of_others_makes_a_newcomer_wider),
		cmocka_unit_test(load_of_others_moves_nobody_who_is_placed),
		cmocka_unit_test(nonsense_for_load_is_none_or_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
