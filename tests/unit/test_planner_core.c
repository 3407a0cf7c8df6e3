// SPDX-License-Identifier: MIT
/* Guest cores on host cores: mode core, and guest threads of mode pin. */
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

/* Masks of all vCPUs, with | between them. */
static void
expect_masks(const struct plan_result *r, const char *wanted, const char *what)
{
	char got[512] = "";

	for (unsigned int v = 0; v < r->n_vcpus; v++) {
		char text[64];
		size_t used = strlen(got);

		(void)snprintf(got + used, sizeof(got) - used, "%s%s",
			v == 0 ? "" : "|",
			cpuset_format(&r->vcpus[v], text, sizeof(text)));
	}
	if (strcmp(got, wanted) != 0)
		fail_msg("%s: %s, not %s (%s)", what, got, wanted, r->why);
}

static void
each_guest_core_has_a_host_core(void **state)
{
	static const struct {
		const char *what;
		const struct host_spec *spec;
		enum place_mode mode;
		unsigned int vcpus;
		unsigned int threads;
		const char *wanted;
	} cases[] = {
		{"core, no guest threads", &host_9354, PLACE_CORE, 3, 0,
			"0,32|1,33|2,34"},
		{"core, guest threads", &host_9354, PLACE_CORE, 4, 2,
			"0,32|0,32|1,33|1,33"},
		{"core, an odd vCPU", &host_7351p, PLACE_CORE, 3, 2, "0,16|0,16|1,17"},
		{"core, host without threads", &host_flat2, PLACE_CORE, 2, 1, "0|1"},
		{"core, more threads than the host's", &host_flat2, PLACE_CORE, 2, 2,
			"0|0"},
		{"core, kinds of cores", &host_hybrid, PLACE_CORE, 4, 2,
			"0,24|0,24|1,25|1,25"},
		{"pin, guest threads", &host_9354, PLACE_PIN, 4, 2, "0|32|1|33"},
		{"pin, no guest threads", &host_9354, PLACE_PIN, 3, 1, "0|1|2"},
		{"pin, four guest threads", &host_xeon_2s, PLACE_PIN, 4, 4,
			"0|32|1|33"},
		{"pin, host without threads", &host_flat2, PLACE_PIN, 2, 2, "0|1"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct host h = host_full(cases[i].spec);
		struct fleet *f = fleet_new(&h);
		struct fleet_vm *vm =
			fleet_add(f, "100", cases[i].mode, cases[i].vcpus);
		struct plan *p;

		vm->in.threads_per_core = cases[i].threads;
		p = fleet_plan(f);
		expect_masks(&p->results[0], cases[i].wanted, cases[i].what);
		fleet_apply(f, p);
		plan_free(p);
		p = fleet_plan(f);
		if (p->results[0].verdict != PLAN_KEEP)
			fail_msg("%s: not kept: %s", cases[i].what, p->results[0].why);
		plan_free(p);
		fleet_free(f);
		host_fini(&h);
	}
}

static void
the_guest_tells_which_vcpus_are_siblings(void **state)
{
	static const uint32_t cores[6] = {7, 8, 9, 7, 8, 9};
	struct host h = host_full(&host_9354);
	struct fleet *f = fleet_new(&h);
	struct fleet_vm *vm = fleet_add(f, "100", PLACE_PIN, 6);
	struct plan *p;

	(void)state;
	vm->in.threads_per_core = 2;
	vm->in.guest_core_of = cores;
	p = fleet_plan(f);
	expect_masks(&p->results[0], "0|1|2|32|33|34", "pin");
	plan_free(p);
	vm->in.mode = PLACE_CORE;
	p = fleet_plan(f);
	expect_masks(&p->results[0], "0,32|1,33|2,34|0,32|1,33|2,34", "core");
	plan_free(p);
	fleet_free(f);
	host_fini(&h);
}

/* Two guest cores have one vCPU each; the second ones come later. */
static void
threads_plugged_later_join_their_core(void **state)
{
	static const uint32_t cores[4] = {0, 1, 1, 0};
	static const enum place_mode modes[2] = {PLACE_PIN, PLACE_CORE};
	static const char *const wanted[2] = {"0|1|33|32", "0,32|1,33|1,33|0,32"};

	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		struct host h = host_full(&host_9354);
		struct fleet *f = fleet_new(&h);
		struct fleet_vm *vm = fleet_add(f, "100", modes[i], 2);
		struct plan *p;

		vm->in.threads_per_core = 2;
		vm->in.guest_core_of = cores;
		fleet_step(f);
		vm->in.n_vcpus = 4;
		p = fleet_plan(f);
		expect_masks(&p->results[0], wanted[i], place_mode_name(modes[i]));
		expect_text(p->results[0].why, "plugged 2");
		plan_free(p);
		fleet_free(f);
		host_fini(&h);
	}
}

static void
guest_cores_avoid_cores_that_are_taken(void **state)
{
	struct host h = host_full(&host_9354);
	struct fleet *f = fleet_new(&h);
	struct plan *p;

	(void)state;
	fleet_add(f, "100", PLACE_PIN, 2)->in.limit = cpus("0-1");
	fleet_add(f, "101", PLACE_CORE, 2)->in.limit = cpus("0-3,32-35");
	p = fleet_plan(f);
	expect_masks(&p->results[1], "2,34|3,35", "core");
	fleet_apply(f, p);
	plan_free(p);
	/* idle cores before siblings, also for those that are pinned */
	fleet_add(f, "102", PLACE_PIN, 2)->in.limit = cpus("0-4,32-36");
	p = fleet_plan(f);
	assert_true(cpuset_has(&p->results[2].domain, 4));
	plan_free(p);
	fleet_free(f);
	host_fini(&h);
}

static void
more_guest_cores_than_cores_double_up_evenly_and_say_so(void **state)
{
	struct host h = host_full(&host_9354);
	struct fleet *f = fleet_new(&h);
	struct fleet_vm *vm = fleet_add(f, "100", PLACE_CORE, 6);
	struct plan *p;

	(void)state;
	vm->in.limit = cpus("0-2,32-34");
	for (unsigned int round = 0; round < 2; round++) {
		p = fleet_plan(f);
		expect_masks(&p->results[0], "0,32|1,33|2,34|0,32|1,33|2,34", "core");
		expect_text(p->results[0].why,
			"6 of them share a core with another guest core");
		fleet_apply(f, p);
		plan_free(p);
	}
	fleet_free(f);
	host_fini(&h);
}

static void
a_thread_that_goes_offline_is_cut_off_and_comes_back(void **state)
{
	struct cpuset none = CPUSET_NONE;
	struct cpuset gone = cpus("33");
	struct host h = host_full(&host_9354);
	struct fleet *f = fleet_new(&h);
	struct plan *p;

	(void)state;
	fleet_add(f, "100", PLACE_CORE, 2);
	fleet_step(f);
	host_fini(&h);
	h = host_make(&host_9354, &gone, &none);
	p = fleet_plan(f);
	expect_masks(&p->results[0], "0,32|1", "offline");
	expect_text(p->results[0].why, "without CPUs");
	fleet_apply(f, p);
	plan_free(p);
	host_fini(&h);
	h = host_full(&host_9354);
	p = fleet_plan(f);
	expect_masks(&p->results[0], "0,32|1,33", "online");
	expect_text(p->results[0].why, "may use again");
	plan_free(p);
	fleet_free(f);
	host_fini(&h);
}

static void
only_the_core_that_went_away_is_given_anew(void **state)
{
	struct cpuset none = CPUSET_NONE;
	struct cpuset gone = cpus("1,33");
	struct host h = host_full(&host_9354);
	struct fleet *f = fleet_new(&h);
	struct plan *p;

	(void)state;
	fleet_add(f, "100", PLACE_CORE, 2);
	fleet_step(f);
	host_fini(&h);
	h = host_make(&host_9354, &gone, &none);
	p = fleet_plan(f);
	expect_masks(&p->results[0], "0,32|2,34", "offline");
	plan_free(p);
	fleet_free(f);
	host_fini(&h);
}

static void
guest_nodes_and_limits_hold(void **state)
{
	static const uint16_t node_of[4] = {0, 0, 1, 1};
	const struct plan_guest_node nodes[2] = {
		{.host_nodes = cpuset_of(3)}, {.host_nodes = cpuset_of(1)}};
	struct host h = host_full(&host_9354);
	struct fleet *f = fleet_new(&h);
	struct fleet_vm *vm = fleet_add(f, "100", PLACE_CORE, 4);
	struct plan *p;

	(void)state;
	vm->in.n_guest_nodes = 2;
	vm->in.guest_nodes = nodes;
	vm->in.guest_node_of = node_of;
	vm->in.limit = cpus("9-40");
	f->policy.reserved = cpus("24");
	p = fleet_plan(f);
	for (unsigned int v = 0; v < 4; v++) {
		assert_true(cpuset_within(
			&p->results[0].vcpus[v], &h.topo->nodes[v < 2 ? 3 : 1].cpus));
		assert_int_equal(cpuset_count(&p->results[0].vcpus[v]), 1);
	}
	plan_free(p);
	fleet_free(f);
	host_fini(&h);
}

static void
masks_of_another_mode_are_no_guest_cores(void **state)
{
	struct host h = host_full(&host_9354);
	struct fleet *f = fleet_new(&h);
	struct plan *p;

	(void)state;
	fleet_add(f, "100", PLACE_FLOAT, 2);
	fleet_step(f);
	f->vms[0].in.mode = PLACE_CORE;
	p = fleet_plan(f);
	assert_int_equal(p->results[0].verdict, PLAN_PLACE);
	expect_masks(&p->results[0], "0,32|1,33", "core");
	expect_cpus(&p->results[0].domain, "0-1,32-33", "domain");
	plan_free(p);
	fleet_free(f);
	host_fini(&h);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_guest_core_has_a_host_core),
		cmocka_unit_test(the_guest_tells_which_vcpus_are_siblings),
		cmocka_unit_test(threads_plugged_later_join_their_core),
		cmocka_unit_test(guest_cores_avoid_cores_that_are_taken),
		cmocka_unit_test(
			more_guest_cores_than_cores_double_up_evenly_and_say_so),
		cmocka_unit_test(a_thread_that_goes_offline_is_cut_off_and_comes_back),
		cmocka_unit_test(only_the_core_that_went_away_is_given_anew),
		cmocka_unit_test(guest_nodes_and_limits_hold),
		cmocka_unit_test(masks_of_another_mode_are_no_guest_cores),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
