// SPDX-License-Identifier: MIT
/* Isolated CPUs: who may have them, and what of those who may not. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "expect.h"
#include "fleet.h"

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
	fleet_add_id(f, 100, PLACE_PIN, 4);
	fleet_add_id(f, 101, PLACE_AUTO, 4);
	fleet_add_id(f, 102, PLACE_CORE, 4);
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
	fleet_add_id(f, 100, PLACE_PIN, 3);
	fleet_step(f);
	assert_false(cpuset_has(&f->vms[0].masks[0], 8));
	fleet_add_id(f, 101, PLACE_PIN, 1);
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
	fleet_add_id(f, 102, PLACE_PIN, 2)->in.limit = cpus("8-9");
	p = fleet_plan(f);
	assert_int_equal(p->results[2].verdict, PLAN_LEAVE);
	assert_string_equal(p->results[2].why,
		"2 vCPUs need an isolated CPU each: of CPUs 8-9 1 are free");
	plan_free(p);
	fleet_free(f);
	host_fini(&h);
}

static void
two_that_are_found_on_one_isolated_cpu_are_parted(void **state)
{
	struct host h;
	struct fleet *f = fleet_with_isolated(&h, "8-9,40-41", "8-9,40-41");
	struct fleet_vm *vm = fleet_add_id(f, 100, PLACE_DEDICATED, 2);

	(void)state;
	fleet_step(f);
	for (unsigned int i = 0; i < 2; i++) {
		vm->in.mode = i == 0 ? PLACE_DEDICATED : PLACE_PIN;
		vm->masks[0] = cpus("8");
		vm->masks[1] = cpus("8");
		fleet_step(f);
		expect_cpus(&vm->masks[0], "8", "the first");
		assert_false(cpuset_equal(&vm->masks[0], &vm->masks[1]));
	}
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
	fleet_add_id(f, 100, PLACE_PIN, 4);
	fleet_add_id(f, 101, PLACE_DEDICATED, 4);
	fleet_add_id(f, 102, PLACE_AUTO, 2);
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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			isolated_cpus_serve_pin_and_dedicated_only_where_listed),
		cmocka_unit_test(no_two_vcpus_have_one_isolated_cpu),
		cmocka_unit_test(two_that_are_found_on_one_isolated_cpu_are_parted),
		cmocka_unit_test(a_host_of_isolated_cpus_alone_is_planned),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
