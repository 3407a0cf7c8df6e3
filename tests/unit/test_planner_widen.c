// SPDX-License-Identifier: MIT
/* VMs that waited while CPUs idled: how much more they get, for how long, and who does
 * not. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "expect.h"
#include "fleet.h"

/* host_9354: L3 group 0 is 0-3,32-35, node 0 0-7,32-39, node 1 8-15,40-47. */
#define L3_0 "0-3,32-35"
#define NODE_0 "0-7,32-39"

/* A VM that has been on @mask for ever. */
static struct fleet_vm *
add_placed(struct fleet *f, enum place_mode mode, unsigned int n_vcpus,
	const char *const *masks)
{
	struct fleet_vm *vm = fleet_add(f, f->n == 0 ? "100" : "101", mode, n_vcpus);

	vm->masks = xcalloc(n_vcpus, sizeof(*vm->masks));
	for (unsigned int v = 0; v < n_vcpus; v++)
		vm->masks[v] = cpus(masks[v]);
	vm->in.n_current = n_vcpus;
	vm->in.placed = true;
	vm->in.changed_s = PLAN_NEVER_S;
	return vm;
}

static struct plan_waited
waited(const char *idle)
{
	return (struct plan_waited){.idle = cpus(idle), .share = 0.12};
}

static void
check_domain(const struct plan *p, unsigned int vm, const char *text, const char *what)
{
	struct cpuset want = cpus(text);
	char has[256];

	if (!cpuset_equal(&p->results[vm].domain, &want))
		fail_msg("%s: %s, not %s: %s", what,
			cpuset_format(&p->results[vm].domain, has, sizeof(has)), text,
			p->results[vm].why);
}

static void
it_gets_the_nearest_domain_in_which_cpus_idled(void **state)
{
	static const struct {
		const char *had;
		const char *idle;
		const char *gets;
	} cases[] = {
		{L3_0, "4-7,36-39", NODE_0},
		{L3_0, "5", NODE_0},
		{L3_0, "8-31", "0-15,32-47"},
		{L3_0, "16-31", "0-63"},
		{NODE_0, "8", "0-15,32-47"},
		{"0-63", "8", "0-63"},
	};
	struct host h = host_full(&host_9354);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *masks[] = {cases[i].had, cases[i].had};
		struct plan_waited w = waited(cases[i].idle);
		struct fleet *f = fleet_new(&h);
		struct plan *p;

		add_placed(f, PLACE_AUTO, 2, masks)->in.waited = &w;
		p = fleet_plan(f);
		check_domain(p, 0, cases[i].gets, cases[i].idle);
		assert_true(p->results[0].widened);
		plan_free(p);
		fleet_free(f);
	}
	host_fini(&h);
}

static void
it_says_so_and_planning_again_changes_nothing(void **state)
{
	static const char *const masks[] = {L3_0, L3_0, L3_0, L3_0};
	struct host h = host_full(&host_9354);
	struct plan_waited w = waited("4-7,36-39");
	struct fleet *f = fleet_new(&h);
	struct plan *p;

	(void)state;
	add_placed(f, PLACE_AUTO, 4, masks)->in.waited = &w;
	p = fleet_plan(f);
	assert_int_equal(p->results[0].verdict, PLAN_PLACE);
	assert_false(p->results[0].rebalanced);
	for (unsigned int round = 0; round < 3; round++) {
		if (strstr(p->results[0].why, "widened since it waited 12 % while CPUs "
					      "4-7,36-39 idled") == NULL)
			fail_msg("%s", p->results[0].why);
		check_domain(p, 0, NODE_0, "again");
		fleet_apply(f, p);
		plan_free(p);
		p = fleet_plan(f);
		assert_int_equal(p->results[0].verdict, PLAN_KEEP);
	}
	plan_free(p);
	fleet_free(f);
	host_fini(&h);
}

static void
the_others_stay_as_they_are(void **state)
{
	static const char *const masks[] = {
		L3_0, L3_0, L3_0, L3_0, L3_0, L3_0, L3_0, L3_0};
	struct host h = host_full(&host_9354);
	struct plan_waited w = waited("4-7,36-39");
	struct fleet *f = fleet_new(&h);
	struct plan *p;

	(void)state;
	/* two that want all of one L3 group: the model, too, says that they wait */
	add_placed(f, PLACE_AUTO, 8, masks)->in.waited = &w;
	add_placed(f, PLACE_AUTO, 8, masks);
	p = fleet_plan(f);
	check_domain(p, 0, NODE_0, "the one that waited");
	check_domain(p, 1, L3_0, "the other one");
	plan_free(p);
	fleet_free(f);
	host_fini(&h);
}

static void
pinned_vcpus_float_around_their_cpus_until_it_is_over(void **state)
{
	static const enum place_mode modes[] = {PLACE_PIN, PLACE_CORE};
	static const char *const masks[2][4] = {
		{"0", "1", "2", "3"}, {"0,32", "1,33", "2,34", "3,35"}};
	struct host h = host_full(&host_9354);
	struct plan_waited w = waited("32-35");

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		struct fleet *f = fleet_new(&h);
		struct fleet_vm *vm = add_placed(f, modes[i], 4, masks[i]);
		struct plan *p;

		vm->in.waited = &w;
		p = fleet_plan(f);
		for (unsigned int v = 0; v < 4; v++) {
			struct cpuset l3 = cpus(L3_0);

			assert_true(cpuset_equal(&p->results[0].vcpus[v], &l3));
		}
		assert_true(p->results[0].widened);
		fleet_apply(f, p);
		plan_free(p);
		p = fleet_plan(f);
		assert_int_equal(p->results[0].verdict, PLAN_KEEP);
		plan_free(p);
		vm->in.waited = NULL;
		p = fleet_plan(f);
		assert_int_equal(cpuset_count(&p->results[0].vcpus[0]), i + 1);
		assert_false(p->results[0].widened);
		plan_free(p);
		fleet_free(f);
	}
	host_fini(&h);
}

static void
who_was_promised_cores_or_may_use_nothing_else_is_left_alone(void **state)
{
	static const struct {
		const char *what;
		enum place_mode mode;
		enum place_smt smt;
		const char *limit;
		const char *idle;
	} cases[] = {
		{"dedicated", PLACE_DEDICATED, PLACE_SMT_SHARE, "0-63", "8-15"},
		{"isolate", PLACE_AUTO, PLACE_SMT_ISOLATE, "0-63", "8-15"},
		{"limit", PLACE_AUTO, PLACE_SMT_SHARE, NODE_0, "8-15"},
		{"nothing idled", PLACE_AUTO, PLACE_SMT_SHARE, "0-63", ""},
		{"off", PLACE_OFF, PLACE_SMT_SHARE, "0-63", "8-15"},
	};
	struct host h = host_full(&host_9354);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct plan_waited w = waited(cases[i].idle);
		struct fleet *f = fleet_new(&h);
		struct fleet_vm *vm = fleet_add(f, "100", cases[i].mode, 4);
		struct plan *p;

		vm->in.smt = cases[i].smt;
		vm->in.limit = cpus(cases[i].limit);
		if (cases[i].mode != PLACE_OFF)
			fleet_step(f);
		vm->in.waited = &w;
		p = fleet_plan(f);
		if (p->results[0].verdict == PLAN_PLACE || p->results[0].widened)
			fail_msg("%s: %s", cases[i].what, p->results[0].why);
		plan_free(p);
		fleet_free(f);
	}
	host_fini(&h);
}

static void
each_guest_node_stays_on_its_host_nodes(void **state)
{
	static const char *const masks[] = {L3_0, L3_0, "8-11,40-43", "8-11,40-43"};
	static const uint16_t node_of[] = {0, 0, 1, 1};
	struct host h = host_full(&host_9354);
	struct plan_guest_node nodes[2] = {
		{.host_nodes = cpuset_of(0)}, {.host_nodes = cpuset_of(1)}};
	struct plan_waited w = waited("4-7,36-39,16-31");
	struct cpuset node_0 = cpus(NODE_0);
	struct cpuset other = cpus("8-11,40-43");
	struct fleet *f = fleet_new(&h);
	struct fleet_vm *vm = add_placed(f, PLACE_AUTO, 4, masks);
	struct plan *p;

	(void)state;
	vm->in.n_guest_nodes = 2;
	vm->in.guest_nodes = nodes;
	vm->in.guest_node_of = node_of;
	vm->in.waited = &w;
	p = fleet_plan(f);
	assert_true(cpuset_equal(&p->results[0].vcpus[0], &node_0));
	assert_true(cpuset_equal(&p->results[0].vcpus[2], &other));
	assert_true(p->results[0].widened);
	plan_free(p);
	fleet_free(f);
	host_fini(&h);
}

static void
memory_that_is_bound_keeps_a_guest_without_nodes_there(void **state)
{
	static const struct {
		const char *idle;
		const char *domain;
	} cases[] = {{"16-31", L3_0}, {"4-7,36-39,16-31", NODE_0}};
	static const char *const masks[] = {L3_0, L3_0};
	struct host h = host_full(&host_9354);
	struct plan_guest_node node = {.host_nodes = cpuset_of(0)};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct plan_waited w = waited(cases[i].idle);
		struct fleet *f = fleet_new(&h);
		struct fleet_vm *vm = add_placed(f, PLACE_AUTO, 2, masks);
		struct plan *p;

		vm->in.n_guest_nodes = 1;
		vm->in.guest_nodes = &node;
		vm->in.waited = &w;
		p = fleet_plan(f);
		check_domain(p, 0, cases[i].domain, cases[i].idle);
		assert_int_equal(p->results[0].widened, i == 1);
		plan_free(p);
		fleet_free(f);
	}
	host_fini(&h);
}

/* Alone on a node it would be narrowed to whole cores, were it not for the waiting. */
static void
whole_cores_are_given_up_and_not_given_again(void **state)
{
	static const char *const masks[] = {"0,32", "0,32", "1,33", "1,33"};
	struct host h = host_full(&host_9354);
	struct plan_waited w = waited("2-3,34-35");
	struct cpuset l3 = cpus(L3_0);
	struct fleet *f = fleet_new(&h);
	struct fleet_vm *vm = add_placed(f, PLACE_AUTO, 4, masks);
	struct plan *p;

	(void)state;
	vm->in.threads_per_core = 2;
	p = fleet_plan(f);
	assert_int_equal(p->results[0].verdict, PLAN_KEEP); /* it has cores */
	plan_free(p);
	vm->in.waited = &w;
	f->policy.rebalance = true;
	f->policy.rebalance_vms = f->policy.rebalance_vcpus = 1000;
	for (unsigned int round = 0; round < 2; round++) {
		p = fleet_plan(f);
		assert_true(cpuset_equal(&p->results[0].vcpus[0], &l3));
		assert_false(p->results[0].rebalanced);
		fleet_apply(f, p);
		plan_free(p);
	}
	fleet_free(f);
	host_fini(&h);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_gets_the_nearest_domain_in_which_cpus_idled),
		cmocka_unit_test(it_says_so_and_planning_again_changes_nothing),
		cmocka_unit_test(the_others_stay_as_they_are),
		cmocka_unit_test(pinned_vcpus_float_around_their_cpus_until_it_is_over),
		cmocka_unit_test(
			who_was_promised_cores_or_may_use_nothing_else_is_left_alone),
		cmocka_unit_test(each_guest_node_stays_on_its_host_nodes),
		cmocka_unit_test(
			memory_that_is_bound_keeps_a_guest_without_nodes_there),
		cmocka_unit_test(whole_cores_are_given_up_and_not_given_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
