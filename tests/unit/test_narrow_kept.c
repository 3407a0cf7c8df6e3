// SPDX-License-Identifier: MIT
/* VMs that were given whole cores: how long they keep them, and what takes them back.
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
#include "place/explain.h"
#include "quiet.h"

static void
it_keeps_its_cores_while_nothing_happens(void **state)
{
	static const unsigned int sizes[] = {2, 4};
	struct host h = host_full(&host_9354);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct fleet *f = quiet_narrowed(&h, sizes[i]);

		for (unsigned int round = 0; round < 6; round++) {
			struct plan *p;

			f->policy.now_s += 400;
			f->policy.rebalance = round < 3;
			/* it does not matter then what would be worth a move */
			f->policy.rebalance_gain_pct = round == 2 ? 90 : 10;
			p = fleet_plan(f);
			if (p->results[0].verdict != PLAN_KEEP ||
				p->results[0].rebalanced ||
				!quiet_has_cores(&h, &p->results[0]) ||
				strstr(p->results[0].why, "whole cores since") == NULL)
				fail_msg("%u vCPUs, round %u: %s", sizes[i], round,
					p->results[0].why);
			fleet_apply(f, p);
			plan_free(p);
		}
		fleet_free(f);
	}
	host_fini(&h);
}

static void
expect_floating(const struct fleet *f, const char *mask, const char *what)
{
	struct plan *p = fleet_plan(f);

	if (!quiet_has_mask(&p->results[0], mask) || p->results[0].rebalanced ||
		p->results[0].verdict != PLAN_PLACE ||
		strstr(p->results[0].why, "no longer narrowed") == NULL)
		fail_msg("%s: %s", what, p->results[0].why);
	plan_free(p);
}

static void
whatever_happens_it_floats_again_and_loses_nothing(void **state)
{
	struct host h = host_full(&host_9354);
	double *busy = xcalloc(h.topo->n_pus, sizeof(*busy));
	struct fleet *f = quiet_narrowed(&h, 4);

	(void)state;
	f->policy.now_s += 1000;
	f->vms[0].in.cpulimit = 2;
	expect_floating(f, QUIET_L3, "a quota");
	f->vms[0].in.cpulimit = 0;
	f->vms[0].in.mode = PLACE_FLOAT;
	expect_floating(f, QUIET_L3, "mode float");
	f->vms[0].in.mode = PLACE_AUTO;
	f->vms[0].in.threads_per_core = 4;
	expect_floating(f, QUIET_L3, "other siblings");
	f->vms[0].in.threads_per_core = 2;
	f->vms[0].in.n_vcpus = 6;
	expect_floating(f, QUIET_L3, "two vCPUs plugged");
	f->vms[0].in.n_vcpus = 3;
	f->vms[0].in.n_current = 3;
	expect_floating(f, QUIET_L3, "one unplugged");
	f->vms[0].in.n_vcpus = 4;
	f->vms[0].in.n_current = 4;
	f->background = busy;
	for (unsigned int i = 0; i < h.topo->n_pus; i++)
		busy[i] = 0.2;
	expect_floating(f, QUIET_L3, "work of others");
	f->background = NULL;
	fleet_free(f);
	free(busy);
	host_fini(&h);
}

static void
a_little_work_of_the_host_gives_and_takes_no_cores(void **state)
{
	struct host h = host_full(&host_9354);
	double *busy = xcalloc(h.topo->n_pus, sizeof(*busy));
	struct fleet *f = quiet_narrowed(&h, 4);
	struct plan *p;

	(void)state;
	f->background = busy;
	for (unsigned int i = 0; i < h.topo->n_pus; i++)
		busy[i] = 0.08;
	p = fleet_plan(f);
	assert_int_equal(p->results[0].verdict, PLAN_KEEP);
	assert_true(quiet_has_cores(&h, &p->results[0]));
	plan_free(p);
	for (unsigned int v = 0; v < 4; v++)
		f->vms[0].masks[v] = quiet_cpus(QUIET_L3);
	f->vms[0].in.changed_s = PLAN_NEVER_S;
	p = fleet_plan(f);
	assert_int_equal(p->results[0].verdict, PLAN_KEEP);
	assert_true(quiet_has_mask(&p->results[0], QUIET_L3));
	plan_free(p);
	fleet_free(f);
	free(busy);
	host_fini(&h);
}

static void
it_floats_over_what_is_left_when_a_cpu_of_a_core_goes(void **state)
{
	struct host full = host_full(&host_9354);
	struct fleet *f = quiet_narrowed(&full, 4);
	struct cpuset had = f->vms[0].masks[0];
	struct cpuset gone = cpuset_of(cpuset_next(&had, 0));
	struct cpuset rest = quiet_cpus(QUIET_L3);
	struct host less = host_make(&host_9354, &gone, &CPUSET_NONE);
	struct plan *p;

	(void)state;
	rest = cpuset_minus(&rest, &gone);
	f->host = &less;
	p = fleet_plan(f);
	for (unsigned int v = 0; v < 4; v++) {
		if (!cpuset_equal(&p->results[0].vcpus[v], &rest))
			fail_msg("%s", p->results[0].why);
	}
	assert_non_null(strstr(p->results[0].why, "may no longer use"));
	plan_free(p);
	fleet_free(f);
	host_fini(&less);
	host_fini(&full);
}

/* Nodes 1 to 3 are full: who comes has to go to node 0. */
static void
fill_the_rest(struct fleet *f)
{
	static const char *const masks[] = {
		"4-7,36-39", "8-15,40-47", "16-23,48-55", "24-31,56-63"};

	for (unsigned int i = 0; i < ARRAY_LEN(masks); i++) {
		struct cpuset s = quiet_cpus(masks[i]);
		struct fleet_vm *vm;
		char id[16];

		(void)snprintf(id, sizeof(id), "%u", 200 + i);
		vm = quiet_add(f, id, cpuset_count(&s), masks[i]);
		vm->in.threads_per_core = 0;
		vm->in.limit = s;
		vm->in.demand_vcpus = 0;
	}
}

static void
a_newcomer_finds_it_floating(void **state)
{
	struct host h = host_full(&host_9354);
	struct fleet *f = quiet_narrowed(&h, 4);
	struct plan *narrow;
	struct plan *floating;
	unsigned int n;

	(void)state;
	fill_the_rest(f);
	n = f->n;
	(void)fleet_add(f, "900", PLACE_AUTO, 4);
	f->policy.now_s += 1000;
	narrow = fleet_plan(f);
	for (unsigned int v = 0; v < 4; v++)
		f->vms[0].masks[v] = quiet_cpus(QUIET_L3);
	f->policy.rebalance = false;
	floating = fleet_plan(f);
	for (unsigned int i = 0; i <= n; i++) {
		for (unsigned int v = 0; v < narrow->results[i].n_vcpus; v++)
			assert_true(cpuset_equal(&narrow->results[i].vcpus[v],
				&floating->results[i].vcpus[v]));
	}
	if (!cpuset_overlap(&narrow->results[n].domain, &narrow->results[0].domain) ||
		strstr(narrow->results[0].why, "no longer narrowed") == NULL)
		fail_msg("%s; %s", narrow->results[n].why, narrow->results[0].why);
	plan_free(narrow);
	plan_free(floating);
	fleet_free(f);
	host_fini(&h);
}

/* Someone comes and goes at each plan: it changes at most twice in a dwell. */
static void
it_does_not_flap_when_others_come_and_go(void **state)
{
	struct host h = host_full(&host_9354);
	struct fleet *f = quiet_narrowed(&h, 4);
	unsigned int changes = 0;

	(void)state;
	for (unsigned int i = 0; i < 100; i++) {
		struct plan *p;

		f->policy.now_s += 30;
		if (i % 2 == 0)
			quiet_add(f, "900", 1, QUIET_L3)->in.changed_s =
				f->policy.now_s;
		else
			fleet_remove(f, 1);
		p = fleet_plan(f);
		changes += p->results[0].verdict == PLAN_PLACE;
		fleet_apply(f, p);
		plan_free(p);
	}
	/* 3000 s are ten dwells */
	assert_in_range(changes, 10, 21);
	fleet_free(f);
	host_fini(&h);
}

static void
cores_keep_nobody_from_his_memory(void **state)
{
	struct host h = host_full(&host_9354);
	struct fleet *f = quiet_narrowed(&h, 4);
	struct cpuset node = quiet_cpus("16-23,48-55");
	struct plan *p;

	(void)state;
	f->policy.now_s += 1000;
	f->vms[0].memory[0] = 0;
	f->vms[0].memory[2] = 1;
	p = fleet_plan(f);
	assert_true(p->results[0].rebalanced);
	assert_true(cpuset_within(&p->results[0].domain, &node));
	assert_int_equal(cpuset_count(&p->results[0].vcpus[0]), 8);
	plan_free(p);
	fleet_free(f);
	host_fini(&h);
}

static void
the_reasons_compare_cores_with_floating(void **state)
{
	struct host h = host_full(&host_9354);
	struct fleet *f = quiet_narrowed(&h, 4);
	struct plan_vm *vms = xcalloc(f->n, sizeof(*vms));
	struct plan_input in = fleet_input(f, vms);
	struct cpuset l3 = quiet_cpus(QUIET_L3);
	const struct explain *e;
	struct plan *p;
	char text[200];

	(void)state;
	in.explain = PLAN_EXPLAIN_ALL;
	assert_int_equal(planner_run(&in, &p, NULL), 0);
	e = p->results[0].explain;
	assert_true(cpuset_equal(&e->chosen.cpus, &p->results[0].domain));
	assert_true(e->has_runner_up);
	assert_true(cpuset_equal(&e->runner_up.cpus, &l3));
	assert_int_equal(e->runner_up.verdict, EXPLAIN_DEARER);
	assert_true(e->runner_up.terms.ns[TERM_COMMUNICATION] >
		    e->chosen.terms.ns[TERM_COMMUNICATION] + 1);
	assert_true((e->rules & 1u << EXPLAIN_CORES) != 0);
	assert_non_null(strstr(explain_rule_text(&in, &in.vms[0], e, EXPLAIN_CORES,
				       text, sizeof(text)),
		"narrowed to whole cores since"));
	plan_free(p);
	free(vms);
	fleet_free(f);
	host_fini(&h);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_keeps_its_cores_while_nothing_happens),
		cmocka_unit_test(whatever_happens_it_floats_again_and_loses_nothing),
		cmocka_unit_test(a_little_work_of_the_host_gives_and_takes_no_cores),
		cmocka_unit_test(it_floats_over_what_is_left_when_a_cpu_of_a_core_goes),
		cmocka_unit_test(a_newcomer_finds_it_floating),
		cmocka_unit_test(it_does_not_flap_when_others_come_and_go),
		cmocka_unit_test(cores_keep_nobody_from_his_memory),
		cmocka_unit_test(the_reasons_compare_cores_with_floating),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
