// SPDX-License-Identifier: MIT
/*
 * Cores that are a VM's alone: mode dedicated, smt isolate, isolated CPUs. At the end
 * what must hold whatever happens; QMPIN_SEED=N runs one seed alone, QMPIN_CASES=N more
 * of them.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "fleet.h"

#define CASES 150u

static struct cpuset
cpus(const char *text)
{
	struct cpuset s = CPUSET_NONE;

	assert_int_equal(cpuset_parse(text, &s), 0);
	return s;
}

static void
expect_cpus(const struct cpuset *got, const char *wanted, const char *what)
{
	struct cpuset s = cpus(wanted);
	char text[CPUSET_TEXT_MAX];

	if (!cpuset_equal(got, &s))
		fail_msg("%s: %s, not %s", what, cpuset_format(got, text, sizeof(text)),
			wanted);
}

static void
expect_text(const char *text, const char *part)
{
	if (strstr(text, part) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", part, text);
}

static struct fleet_vm *
add(struct fleet *f, unsigned int id, enum place_mode mode, unsigned int n_vcpus)
{
	char text[16];

	(void)snprintf(text, sizeof(text), "%u", id);
	return fleet_add(f, text, mode, n_vcpus);
}

/* All CPUs of the cores that a result touches. */
static struct cpuset
cores_of(const struct host *h, const struct plan_result *r)
{
	const struct topo *t = h->topo;
	struct cpuset all = CPUSET_NONE;

	cpuset_foreach (cpu, &r->domain) {
		int core = t->pus[t->pu_of_cpu[cpu]].core;

		all = cpuset_or(&all, &t->cores[core].cpus);
	}
	return all;
}

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

		add(f, 100, PLACE_DEDICATED, cases[i].vcpus);
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
	struct fleet_vm *vm = add(f, 100, PLACE_DEDICATED, 6);
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
	struct fleet_vm *vm = add(f, 100, PLACE_DEDICATED, 2);
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

/* L3 groups have VMs of 8, 6 ... vCPUs; only the least is asked to give way. */
static void
a_late_dedicated_vm_moves_the_fewest_vcpus(void **state)
{
	static const unsigned int sizes[8] = {8, 7, 6, 5, 2, 6, 7, 8};
	struct host h = host_full(&host_9354);
	struct fleet *f = fleet_new(&h);
	struct plan *p;

	(void)state;
	for (unsigned int i = 0; i < 8; i++) {
		struct fleet_vm *vm = add(f, 100 + i, PLACE_AUTO, sizes[i]);
		char mask[32];

		(void)snprintf(mask, sizeof(mask), "%u-%u,%u-%u", 4 * i, 4 * i + 3,
			4 * i + 32, 4 * i + 35);
		vm->masks = xcalloc(sizes[i], sizeof(*vm->masks));
		for (unsigned int v = 0; v < sizes[i]; v++)
			vm->masks[v] = cpus(mask);
		vm->in.n_current = sizes[i];
		vm->in.placed = true;
	}
	add(f, 200, PLACE_DEDICATED, 4);
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
cpus_come_back_when_the_dedicated_vm_is_gone(void **state)
{
	struct host h = host_full(&host_9354);
	struct fleet *f = fleet_new(&h);
	struct fleet_vm *vm;

	(void)state;
	vm = add(f, 100, PLACE_FLOAT, 1);
	vm->in.limit = cpus("0-3,32-35");
	fleet_step(f);
	add(f, 200, PLACE_DEDICATED, 6)->in.limit = cpus("0-3,32-35");
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
	add(f, 100, PLACE_DEDICATED, 4);
	fleet_step(f);
	before = f->vms[0].masks[3];
	fleet_remove(f, 0);
	fleet_step(f);
	add(f, 100, PLACE_DEDICATED, 4);
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
	add(f, 100, PLACE_DEDICATED, 20);
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
	add(f, 100, PLACE_DEDICATED, 8);
	add(f, 101, PLACE_DEDICATED, 8);
	for (unsigned int round = 0; round < 3; round++) {
		struct plan *p = fleet_plan(f);
		struct cpuset alone = cores_of(&h, &p->results[0]);

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
	struct fleet_vm *vm = add(f, 100, PLACE_DEDICATED, 3);

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
	vm = add(f, 100, PLACE_DEDICATED, 1);
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
	struct fleet_vm *vm = add(f, 100, PLACE_AUTO, 3);
	struct cpuset had;

	(void)state;
	vm->in.smt = PLACE_SMT_ISOLATE;
	add(f, 101, PLACE_AUTO, 4)->in.limit = cpus("0-3,32-35");
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
	struct fleet_vm *vm = add(f, 100, PLACE_AUTO, 4);

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
	struct fleet_vm *vm = add(f, 100, PLACE_CORE, 3);
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
	struct fleet_vm *vm = add(f, 100, PLACE_DEDICATED, 8);
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
	struct fleet_vm *vm = add(f, 100, PLACE_DEDICATED, 4);

	(void)state;
	vm->memory[3] = 1;
	vm->started = true;
	add(f, 101, PLACE_DEDICATED, 4)->in.pci_nodes = cpuset_of(2);
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
	add(f, 100, PLACE_FLOAT, 2)->in.limit = cpus("1,33");
	add(f, 101, PLACE_OFF, 2)->in.limit = cpus("2");
	add(f, 200, PLACE_DEDICATED, 2)->in.limit = cpus("0-3,32-35");
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
	add(f, 100, PLACE_OFF, 2);
	add(f, 101, PLACE_OFF, 2)->in.off_by_admin = true;
	p = fleet_plan(f);
	assert_int_equal(p->results[0].verdict, PLAN_LEAVE);
	plan_free(p);
	add(f, 200, PLACE_DEDICATED, 4);
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

static struct fleet *
fleet_with_isolated(struct host *h, const char *isolated, const char *usable)
{
	struct cpuset none = CPUSET_NONE;
	struct cpuset these = cpus(isolated);
	struct fleet *f;

	*h = host_make(&host_9354, &none, &these);
	f = fleet_new(h);
	f->policy.isolated_usable = cpus(usable);
	return f;
}

static void
isolated_cpus_serve_pin_and_dedicated_only_where_listed(void **state)
{
	struct host h;
	struct fleet *f = fleet_with_isolated(&h, "8-15,40-47", "8-11,40-43");
	struct plan *p;

	(void)state;
	add(f, 100, PLACE_PIN, 4);
	add(f, 101, PLACE_AUTO, 4);
	add(f, 102, PLACE_CORE, 4);
	p = fleet_plan(f);
	/* a core for each, as far as there are */
	expect_cpus(&p->results[0].domain, "8-11", "pin");
	expect_text(p->results[0].why, "isolated CPUs 8-11 for 4 vCPUs");
	assert_false(cpuset_overlap(&p->results[0].emulator, &h.topo->isolated));
	for (unsigned int i = 1; i < 3; i++)
		assert_false(cpuset_overlap(&p->results[i].domain, &h.topo->isolated));
	plan_free(p);
	f->vms[0].in.mode = PLACE_DEDICATED;
	p = fleet_plan(f);
	expect_cpus(&p->results[0].domain, "8-9,40-41", "dedicated");
	plan_free(p);
	fleet_free(f);
	host_fini(&h);
}

static void
no_two_vcpus_have_one_isolated_cpu(void **state)
{
	struct host h;
	struct fleet *f = fleet_with_isolated(&h, "8-9", "8-9");
	struct cpuset first;
	struct plan *p;

	(void)state;
	/* not enough for all: none */
	add(f, 100, PLACE_PIN, 3);
	fleet_step(f);
	assert_false(cpuset_has(&f->vms[0].masks[0], 8));
	add(f, 101, PLACE_PIN, 1);
	fleet_step(f);
	first = f->vms[1].masks[0];
	assert_true(cpuset_within(&first, &h.topo->isolated));
	/* plugged vCPUs go to others as soon as they do not suffice */
	f->vms[1].in.n_vcpus = 3;
	for (unsigned int round = 0; round < 2; round++) {
		fleet_step(f);
		assert_true(cpuset_equal(&f->vms[1].masks[0], &first));
		assert_false(cpuset_overlap(&f->vms[1].masks[1], &h.topo->isolated));
		assert_false(cpuset_overlap(&f->vms[1].masks[2], &h.topo->isolated));
	}
	add(f, 102, PLACE_PIN, 2)->in.limit = cpus("8-9");
	p = fleet_plan(f);
	assert_int_equal(p->results[2].verdict, PLAN_LEAVE);
	assert_string_equal(p->results[2].why,
		"2 vCPUs need an isolated CPU each: of CPUs 8-9 1 are free");
	plan_free(p);
	fleet_free(f);
	host_fini(&h);
}

/* As on hosts for real time: all CPUs but the reserved ones are isolated. */
static void
a_host_of_isolated_cpus_alone_is_planned(void **state)
{
	struct host h;
	struct fleet *f = fleet_with_isolated(&h, "1-31,33-63", "1-31,33-63");
	struct plan *p;

	(void)state;
	f->policy.reserved = cpus("0,32");
	add(f, 100, PLACE_PIN, 4);
	add(f, 101, PLACE_DEDICATED, 4);
	add(f, 102, PLACE_AUTO, 2);
	p = fleet_plan(f);
	expect_cpus(&p->results[0].emulator, "0,32", "emulator");
	assert_int_equal(p->results[0].verdict, PLAN_PLACE);
	assert_int_equal(p->results[1].verdict, PLAN_PLACE);
	assert_false(cpuset_overlap(&p->results[0].domain, &p->results[1].domain));
	assert_int_equal(p->results[2].verdict, PLAN_LEAVE);
	expect_text(p->results[2].why, "no usable CPU");
	plan_free(p);
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
	add(f, 100, PLACE_DEDICATED, 4);
	add(f, 101, PLACE_DEDICATED, 4)->in.emulator = PLACE_EMULATOR_FOLLOW;
	add(f, 102, PLACE_DEDICATED, 4)->in.emulator = PLACE_EMULATOR_ISOLATE;
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
	struct fleet_vm *vm = add(f, 100, PLACE_DEDICATED, 8);
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

static const struct host_spec *const specs[] = {
	&host_9354, &host_7351p, &host_xeon_2s, &host_hybrid, &host_flat2};

/* Arrays that VMs borrow. */
static const uint16_t halves[64] = {0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0,
	1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1,
	0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1};
static const struct plan_guest_node free_nodes[2];

struct scene {
	uint64_t seed;
	uint64_t random;
	const struct host_spec *spec;
	struct host host;
	struct fleet *fleet;
	unsigned int next;
};

#define CHECK(s, what, condition)                               \
	do {                                                    \
		if (!(condition))                               \
			fail_msg("%s (QMPIN_SEED=%llu)", what,  \
				(unsigned long long)(s)->seed); \
	} while (0)

static unsigned int
below(struct scene *s, unsigned int n)
{
	return fleet_below(&s->random, n);
}

static void
start_vm(struct scene *s)
{
	static const enum place_mode modes[8] = {PLACE_AUTO, PLACE_AUTO, PLACE_FLOAT,
		PLACE_DEDICATED, PLACE_DEDICATED, PLACE_PIN, PLACE_CORE, PLACE_OFF};
	unsigned int n = fleet_random_size(&s->random);
	struct fleet_vm *vm =
		add(s->fleet, s->next++, modes[below(s, 8)], n > 16 ? 16 : n);

	if (below(s, 5) == 0)
		vm->in.smt = PLACE_SMT_ISOLATE;
	vm->in.emulator = (enum place_emulator)below(s, PLACE_N_EMULATOR);
	vm->in.threads_per_core = below(s, 3);
	if (below(s, 6) == 0)
		vm->in.limit = cpuset_below(1 + below(s, s->host.topo->n_pus));
	if (below(s, 6) == 0) {
		vm->in.n_guest_nodes = 2;
		vm->in.guest_nodes = free_nodes;
		vm->in.guest_node_of = halves;
	}
}

static void
make_host(struct scene *s, bool offline)
{
	struct cpuset isolated = s->seed % 3 == 0 ? cpus("2-5,18-21,34-37") : cpus("");
	struct cpuset gone = CPUSET_NONE;

	for (unsigned int cpu = 1; offline && cpu < 32; cpu++) {
		if (below(s, 8) == 0 && s->spec != &host_flat2)
			cpuset_add(&gone, cpu);
	}
	if (s->host.topo != NULL)
		host_fini(&s->host);
	s->host = host_make(s->spec, &gone, &isolated);
}

static bool
is_exclusive(const struct fleet_vm *vm, const struct plan_result *r)
{
	return (vm->in.mode == PLACE_DEDICATED || vm->in.smt == PLACE_SMT_ISOLATE) &&
	       vm->in.mode != PLACE_OFF && r->n_vcpus > 0 &&
	       strstr(r->why, "of its own: ") == NULL;
}

/* Nobody else whom we place is on the VM's cores. */
static void
check_alone(struct scene *s, const struct plan *p, unsigned int i,
	const struct cpuset *cores)
{
	CHECK(s, "CPU 0's core", !cpuset_has(cores, 0));
	for (unsigned int k = 0; k < p->n; k++) {
		const struct plan_result *r = &p->results[k];

		if (k == i || r->n_vcpus == 0)
			continue;
		CHECK(s, "a vCPU of another", !cpuset_overlap(cores, &r->domain));
		CHECK(s, "an emulator of another",
			!cpuset_overlap(cores, &r->emulator));
	}
}

static void
check_shares(struct scene *s, const struct cpuset *alone)
{
	const struct topo *t = s->host.topo;

	for (unsigned int n = 0; n < t->n_nodes; n++) {
		struct cpuset here = cpuset_and(alone, &t->nodes[n].cpus);

		CHECK(s, "too much of a node",
			topo_count_cores(t, &here) * 100 <=
				topo_count_cores(t, &t->nodes[n].cpus) *
					s->fleet->policy.dedicated_max_pct);
	}
}

static void
check_isolated(struct scene *s, const struct plan *p)
{
	struct cpuset used = CPUSET_NONE;

	for (unsigned int i = 0; i < p->n; i++) {
		const struct plan_result *r = &p->results[i];
		enum place_mode mode = s->fleet->vms[i].in.mode;

		for (unsigned int v = 0; mode != PLACE_OFF && v < r->n_vcpus; v++) {
			struct cpuset here =
				cpuset_and(&r->vcpus[v], &s->host.topo->isolated);

			if (cpuset_empty(&here))
				continue;
			CHECK(s, "isolated for others",
				mode == PLACE_PIN || mode == PLACE_DEDICATED);
			CHECK(s, "isolated but not listed",
				cpuset_within(
					&here, &s->fleet->policy.isolated_usable));
			CHECK(s, "two on an isolated CPU",
				!cpuset_overlap(&used, &here));
			used = cpuset_or(&used, &here);
		}
	}
}

static void
check_plan(struct scene *s, const struct plan *p)
{
	struct cpuset alone = CPUSET_NONE;

	for (unsigned int i = 0; i < p->n; i++) {
		const struct plan_result *r = &p->results[i];
		struct cpuset cores;

		for (unsigned int v = 0; v < r->n_vcpus; v++) {
			CHECK(s, "no CPU", !cpuset_empty(&r->vcpus[v]));
			CHECK(s, "outside its limit",
				cpuset_within(
					&r->vcpus[v], &s->fleet->vms[i].in.limit));
		}
		CHECK(s, "emulator outside the limit",
			cpuset_within(&r->emulator, &s->fleet->vms[i].in.limit));
		if (!is_exclusive(&s->fleet->vms[i], r))
			continue;
		cores = cores_of(&s->host, r);
		check_alone(s, p, i, &cores);
		alone = cpuset_or(&alone, &cores);
	}
	check_shares(s, &alone);
	check_isolated(s, p);
}

static void
check_kept(struct scene *s)
{
	struct plan *p = fleet_plan(s->fleet);

	for (unsigned int i = 0; i < p->n; i++) {
		const struct plan_result *r = &p->results[i];

		if (r->verdict == PLAN_PLACE)
			fail_msg("placed twice: %s, %s, %s (QMPIN_SEED=%llu)",
				s->fleet->vms[i].id,
				place_mode_name(s->fleet->vms[i].in.mode), r->why,
				(unsigned long long)s->seed);
	}
	plan_free(p);
}

/* Without an event that takes CPUs, masks lose what became exclusive and no more. */
static void
check_moves(struct scene *s, const struct plan *p)
{
	struct cpuset alone = CPUSET_NONE;

	for (unsigned int i = 0; i < p->n; i++) {
		struct cpuset cores = cores_of(&s->host, &p->results[i]);

		if (is_exclusive(&s->fleet->vms[i], &p->results[i]))
			alone = cpuset_or(&alone, &cores);
	}
	for (unsigned int i = 0; i < p->n; i++) {
		const struct fleet_vm *vm = &s->fleet->vms[i];
		const struct plan_result *r = &p->results[i];
		struct cpuset stays;

		if (is_exclusive(vm, r) || !r->apply || !vm->in.placed)
			continue;
		for (unsigned int v = 0; v < vm->in.n_current; v++) {
			stays = cpuset_minus(&vm->masks[v], &alone);
			stays = cpuset_and(&stays, &s->host.topo->online);
			if (!cpuset_within(&stays, &r->vcpus[v]))
				fail_msg("moved: %s, %s, %s (QMPIN_SEED=%llu)", vm->id,
					place_mode_name(vm->in.mode), r->why,
					(unsigned long long)s->seed);
		}
	}
}

/* One thing happens. Returns false when it takes CPUs. */
static bool
happen(struct scene *s)
{
	struct fleet *f = s->fleet;
	unsigned int what = below(s, 8);

	if (f->n == 0 || (what < 4 && f->n < 24)) {
		start_vm(s);
	} else if (what < 5) {
		fleet_remove(f, below(s, f->n));
	} else if (what < 7) {
		struct fleet_vm *vm = &f->vms[below(s, f->n)];

		vm->in.n_vcpus += vm->in.n_vcpus < 30 ? 1 : 0;
	} else {
		make_host(s, below(s, 2) == 0);
		return false;
	}
	return true;
}

static void
play(struct scene *s)
{
	make_host(s, false);
	s->fleet = fleet_new(&s->host);
	s->fleet->policy.isolated_usable = cpus("2-4,18-19,34-36");
	if (below(s, 4) == 0)
		s->fleet->policy.reserved = cpus("0,1");
	s->next = 100;
	for (unsigned int step = 0; step < 25; step++) {
		bool gentle = happen(s);
		struct plan *p = fleet_plan(s->fleet);

		check_plan(s, p);
		if (gentle)
			check_moves(s, p);
		fleet_apply(s->fleet, p);
		check_kept(s);
		plan_free(p);
	}
	fleet_free(s->fleet);
	host_fini(&s->host);
}

static void
own_cores_are_never_shared_whatever_happens(void **state)
{
	const char *one = getenv("QMPIN_SEED");
	const char *more = getenv("QMPIN_CASES");
	uint64_t n = more != NULL ? strtoull(more, NULL, 10) : CASES;
	uint64_t first = one != NULL ? strtoull(one, NULL, 10) : 1;

	(void)state;
	for (uint64_t seed = first; seed <= (one != NULL ? first : n); seed++) {
		struct scene s = {.seed = seed,
			.random = seed * 0x9e3779b97f4a7c15 + 1,
			.spec = specs[seed % ARRAY_LEN(specs)]};

		play(&s);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_dedicated_vm_fills_near_cores_but_never_cpu_0s),
		cmocka_unit_test(guest_threads_of_a_dedicated_vm_are_host_siblings),
		cmocka_unit_test(partly_plugged_guest_cores_have_a_core_each),
		cmocka_unit_test(a_late_dedicated_vm_moves_the_fewest_vcpus),
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
			isolated_cpus_serve_pin_and_dedicated_only_where_listed),
		cmocka_unit_test(no_two_vcpus_have_one_isolated_cpu),
		cmocka_unit_test(a_host_of_isolated_cpus_alone_is_planned),
		cmocka_unit_test(
			the_emulator_stays_with_its_cores_unless_it_is_isolated),
		cmocka_unit_test(absurd_sizes_are_refused_in_time),
		cmocka_unit_test(own_cores_are_never_shared_whatever_happens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
