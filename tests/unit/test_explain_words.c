// SPDX-License-Identifier: MIT
/*
 * Reasons in words: what all VMs have in common, why nothing came second, where memory
 * is, and what is worth telling.
 */
#include "config.h"

#include "place/explain.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "asked.h"

static struct cpuset
cpus_of(const char *text)
{
	struct cpuset cpus;

	assert_int_equal(cpuset_parse(text, &cpus), 0);
	return cpus;
}

/* ---- what all have in common, and what there is not ---- */

static void
rules_of_the_host_are_said_without_a_vm(void **state)
{
	static const struct {
		enum explain_rule rule;
		const char *reserved;
		const char *given;
		const char *text;
	} cases[] = {
		{EXPLAIN_RESERVED, "0,16", "",
			"reserved_cpus keeps CPUs 0,16 for the host"},
		{EXPLAIN_RESERVED, "3", "", "reserved_cpus keeps CPU 3 for the host"},
		{EXPLAIN_ISOLATED, "", "",
			"isolated CPUs 14-15: not in isolated_cpus, so no VM may have "
			"them"},
		{EXPLAIN_ISOLATED, "", "15",
			"isolated CPUs 14-15: only pin and dedicated may have 15 "
			"(isolated_cpus)"},
		{EXPLAIN_ISOLATED, "", "14-15",
			"isolated CPUs 14-15: only pin and dedicated may have them"},
		{EXPLAIN_CPU0, "", "", "CPU 0's core is never a VM's alone"},
		{EXPLAIN_NODE_SHARE, "", "",
			"at most 75 % of a node's cores may be VMs' alone "
			"(dedicated_max_pct)"},
		{EXPLAIN_OFFLINE, "", "", "CPUs 5,8 are offline"},
		{EXPLAIN_DWELL, "", "", ""},
	};
	struct cpuset isolated = cpus_of("14-15");
	struct cpuset offline = cpus_of("5,8");
	struct host h = host_make(&host_7351p, &offline, &isolated);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct fleet *f = fleet_new(&h);
		struct fleet_vm *vm = fleet_add(f, "100", PLACE_AUTO, 2);
		struct asked a;
		char text[256];

		vm->in.limit = cpus_of("0-31");
		f->policy.reserved = cpus_of(cases[i].reserved);
		f->policy.isolated_usable = cpus_of(cases[i].given);
		a = asked_of(f, PLAN_EXPLAIN_ALL, NULL);
		assert_string_equal(
			explain_host_text(&a.in, cases[i].rule, text, sizeof(text)),
			cases[i].text);
		asked_fini(&a);
		fleet_free(f);
	}
	host_fini(&h);
}

static const struct {
	const char *name;
	enum place_mode mode;
	enum place_smt smt;
	unsigned int n_vcpus;
	unsigned int n_guest_nodes;
	unsigned int rule; /* bit; 0: there is a second */
	const char *text;
} alone_cases[] = {
	{"float", PLACE_AUTO, PLACE_SMT_SHARE, 4, 0, 0, NULL},
	{"pin", PLACE_PIN, PLACE_SMT_SHARE, 4, 0, 0, NULL},
	{"dedicated", PLACE_DEDICATED, PLACE_SMT_SHARE, 4, 0, BIT(SETTLED),
		"it keeps the cores that are its alone while it runs, and is "
		"not compared with other places"},
	{"smt = isolate", PLACE_AUTO, PLACE_SMT_ISOLATE, 4, 0, BIT(SETTLED),
		"it keeps the cores that are its alone while it runs, and is "
		"not compared with other places"},
	{"pinned guest nodes", PLACE_PIN, PLACE_SMT_SHARE, 4, 2, BIT(NODE_BY_NODE),
		"its guest nodes are pinned one by one, and not compared with "
		"other places"},
	{"as large as the host", PLACE_AUTO, PLACE_SMT_SHARE, 64, 0, BIT(ONLY),
		"what it may use has no other place with a CPU for each vCPU"},
	{"pinned everywhere", PLACE_PIN, PLACE_SMT_SHARE, 64, 0, BIT(ONLY),
		"what it may use has no other place with a CPU for each vCPU"},
};

/* Whoever has no runner-up has one reason for that, and only those have one. */
static void
why_nothing_came_second_is_said(void **state)
{
	static const struct plan_guest_node nodes[2];
	static const uint16_t of[] = {0, 0, 1, 1};
	struct host h = host_full(&host_9354);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(alone_cases); i++) {
		struct fleet *f = fleet_new(&h);
		struct fleet_vm *vm = fleet_add(
			f, "100", alone_cases[i].mode, alone_cases[i].n_vcpus);
		const struct explain *e;
		struct asked a;
		char text[256];

		vm->in.smt = alone_cases[i].smt;
		vm->in.n_guest_nodes = alone_cases[i].n_guest_nodes;
		vm->in.guest_nodes = alone_cases[i].n_guest_nodes > 0 ? nodes : NULL;
		vm->in.guest_node_of = alone_cases[i].n_guest_nodes > 0 ? of : NULL;
		a = asked_of(f, PLAN_EXPLAIN_ALL, NULL);
		e = a.plan->results[0].explain;
		if ((e->rules & EXPLAIN_NO_SECOND) != alone_cases[i].rule ||
			e->has_runner_up != (alone_cases[i].rule == 0))
			fail_msg("%s: rules %x", alone_cases[i].name, e->rules);
		for (unsigned int r = 0; r < EXPLAIN_N_RULES; r++) {
			if (alone_cases[i].rule == 1u << r)
				assert_string_equal(
					explain_rule_text(&a.in, &a.in.vms[0], e,
						(enum explain_rule)r, text,
						sizeof(text)),
					alone_cases[i].text);
		}
		asked_fini(&a);
		fleet_free(f);
	}
	host_fini(&h);
}

/* It is on node 2, its memory too; where it would be is another matter. */
static void
an_observed_vm_has_its_memory_where_it_is(void **state)
{
	static const struct {
		double share; /* of its memory, on node 2; the rest is on node 1 */
		const char *bound;
		const char *text;
		const char *why;
	} cases[] = {
		{1, "0-63",
			"100 % of its memory would be local, 100 % of it is on node 2",
			"memory would be 100 % local"},
		{1, "0-7", "0 % of its memory would be local, 100 % of it is on node 2",
			"memory would be 0 % local"},
		{0, "0-7", "where its memory is is not known", NULL},
	};
	struct host h = host_full(&host_9354);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct fleet *f = fleet_new(&h);
		struct fleet_vm *vm = fleet_add(f, "100", PLACE_OBSERVE, 4);
		const struct plan_result *r;
		struct asked a;
		char text[256];

		vm->in.limit = cpus_of(cases[i].bound);
		vm->memory[2] = cases[i].share;
		vm->started = cases[i].share > 0;
		a = asked_of(f, PLAN_EXPLAIN_ALL, NULL);
		r = &a.plan->results[0];
		assert_non_null(r->explain);
		assert_string_equal(explain_term_text(&a.in, &r->explain->chosen,
					    TERM_MEMORY, text, sizeof(text)),
			cases[i].text);
		if (cases[i].why != NULL)
			assert_non_null(strstr(r->why, cases[i].why));
		else
			assert_null(strstr(r->why, "memory"));
		asked_fini(&a);
		fleet_free(f);
	}
	host_fini(&h);
}

static void
a_vm_with_a_quota_says_what_it_wants(void **state)
{
	struct host h = host_full(&host_9354);
	struct fleet *f = fleet_new(&h);
	struct fleet_vm *vm = fleet_add(f, "100", PLACE_AUTO, 8);
	struct asked a;

	(void)state;
	vm->in.cpulimit = 2;
	a = asked_of(f, PLAN_EXPLAIN_ALL, NULL);
	assert_non_null(strstr(a.plan->results[0].why, "8 vCPUs that want 2.0, "));
	asked_fini(&a);
	vm->in.cpulimit = 8;
	a = asked_of(f, PLAN_EXPLAIN_ALL, NULL);
	assert_null(strstr(a.plan->results[0].why, "that want"));
	asked_fini(&a);
	fleet_free(f);
	host_fini(&h);
}

/* VM 101 crowds the other half of a node a little: VM 100 would gain by having all for
 * itself, but nobody makes room for so little. */
static void
what_gains_little_is_not_offered(void **state)
{
	struct host h = host_full(&host_9354);
	struct fleet *f = fleet_new(&h);
	unsigned int told = 0;

	(void)state;
	for (unsigned int n = 0; n < 12; n++) {
		struct asked a;

		(void)fleet_add_id(f, 100 + n, PLACE_AUTO, 4 + n % 3 * 2);
		fleet_step(f);
		a = asked_of(f, PLAN_EXPLAIN_ALL, NULL);
		for (unsigned int i = 0; i < a.plan->n; i++) {
			const struct explain *e = a.plan->results[i].explain;
			double gain = e->chosen.total_ns - e->better.total_ns;

			told += e->has_better;
			/* 120 ns is the worst latency of this host */
			if (e->has_better &&
				(gain < 0.0999 * 120 ||
					gain < 0.0999 * e->chosen.total_ns))
				fail_msg("vm %u of %u: %.1f of %.1f ns", i, n, gain,
					e->chosen.total_ns);
		}
		asked_fini(&a);
	}
	assert_true(told > 0);
	fleet_free(f);
	host_fini(&h);
}

static void
room_is_told_in_whole_sentences(void **state)
{
	struct host h = host_full(&host_9354);
	struct fleet *f = fleet_new(&h);
	struct explain e = {.has_better = true};
	struct asked a = asked_of(f, PLAN_EXPLAIN_ALL, NULL);
	char text[256];

	(void)state;
	e.chosen.total_ns = 50;
	e.better.total_ns = 20;
	e.better.cpus = cpus_of("8-11,40-43");
	e.better_load_cpus = 6;
	e.better_free_cpus = 8;
	assert_string_equal(explain_better_text(&a.in, &e, text, sizeof(text)),
		"all 8 CPUs of L3 group 0 of node 1 were free, where others want 6.0; if "
		"all were free: 30.0 ns less a vCPU");
	e.better.cpus = cpus_of("8-10");
	e.better_free_cpus = 2.01;
	assert_string_equal(explain_better_text(&a.in, &e, text, sizeof(text)),
		"at least 2.1 of the 3 CPUs 8-10 were free, where others want 6.0; if all "
		"were free: 30.0 ns less a vCPU");
	asked_fini(&a);
	fleet_free(f);
	host_fini(&h);
}

/* ---- what rebalance does not do ---- */

/* Three VMs on two L3 groups that are full, two of them on one: the other one is no
 * better, but both together are. */
static void
more_cpus_are_not_what_rebalance_gives(void **state)
{
	static const char *const limits[] = {"0-3,32-35", "0-3,32-35", "4-7,36-39"};
	struct host h = host_full(&host_9354);
	struct fleet *f = fleet_new(&h);
	const struct explain *e;
	struct asked a;
	char text[256];

	(void)state;
	for (unsigned int i = 0; i < ARRAY_LEN(limits); i++) {
		fleet_add_id(f, 100 + i, PLACE_FLOAT, 8)->in.limit = cpus_of(limits[i]);
		fleet_step(f);
	}
	for (unsigned int i = 0; i < f->n; i++)
		f->vms[i].in.limit = cpus_of("0-7,32-39");
	f->policy.rebalance = true;
	f->policy.now_s = 1000;
	a = asked_of(f, PLAN_EXPLAIN_ALL, NULL);
	e = a.plan->results[0].explain;
	assert_true(cpuset_equal(&e->runner_up.cpus, &f->vms[0].in.limit));
	assert_int_equal(e->hold, EXPLAIN_WIDER);
	(void)explain_verdict_text(e, &e->runner_up, text, sizeof(text));
	assert_non_null(
		strstr(text, "; but rebalance adds no CPUs to those that a VM has"));
	asked_fini(&a);
	fleet_free(f);
	host_fini(&h);
}

/* VM 100 on node 0 had CPUs of node 2, where its memory is. */
static void
a_pinned_vm_only_returns(void **state)
{
	static const struct {
		bool rebalance;
		const char *home; /* of its first vCPU */
		const char *text; /* the end of the verdict */
	} cases[] = {
		{true, "16",
			"; but it only returns to CPU 16, when it can, has rested "
			"and gains enough"},
		{true, NULL, "; but its mode is never moved for a gain"},
		{true, "0", "; but its mode is never moved for a gain"},
		{false, "16", "; but its mode is never moved for a gain"},
	};
	struct host h = host_full(&host_9354);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct fleet *f = fleet_new(&h);
		struct fleet_vm *vm = fleet_add(f, "100", PLACE_PIN, 4);
		struct cpuset home[4] = {CPUSET_NONE};
		const struct explain *e;
		struct asked a;
		char text[256];

		fleet_step(f);
		vm->memory[0] = 0;
		vm->memory[2] = 1;
		if (cases[i].home != NULL) {
			home[0] = cpus_of(cases[i].home);
			vm->in.home = home;
		}
		f->policy.rebalance = cases[i].rebalance;
		f->policy.now_s = 1000;
		a = asked_of(f, PLAN_EXPLAIN_ALL, NULL);
		e = a.plan->results[0].explain;
		assert_int_equal(e->runner_up.verdict, EXPLAIN_STAYS);
		(void)explain_verdict_text(e, &e->runner_up, text, sizeof(text));
		assert_non_null(strstr(text, cases[i].text));
		asked_fini(&a);
		fleet_free(f);
	}
	host_fini(&h);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rules_of_the_host_are_said_without_a_vm),
		cmocka_unit_test(why_nothing_came_second_is_said),
		cmocka_unit_test(an_observed_vm_has_its_memory_where_it_is),
		cmocka_unit_test(a_vm_with_a_quota_says_what_it_wants),
		cmocka_unit_test(what_gains_little_is_not_offered),
		cmocka_unit_test(room_is_told_in_whole_sentences),
		cmocka_unit_test(more_cpus_are_not_what_rebalance_gives),
		cmocka_unit_test(a_pinned_vm_only_returns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
