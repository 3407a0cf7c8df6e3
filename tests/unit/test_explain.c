// SPDX-License-Identifier: MIT
/*
 * Reasons: which rules bound a VM, what came second, what would be better, in numbers
 * and in words, on hosts that can be checked by eye.
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

static void
expect_cpus(const struct cpuset *cpus, const char *text)
{
	char buf[CPUSET_TEXT_MAX];

	assert_string_equal(cpuset_format(cpus, buf, sizeof(buf)), text);
}

/* ---- rules ---- */

/* A VM on a 9354 with one rule. */
struct rule_case {
	const char *name;
	unsigned int rules;
	const char *text; /* of the first of them */
	const char *limit;
	const char *affinity;
	const char *cgroup;
	const char *reserved;
	const char *isolated;
	const char *offline;
	const char *bound; /* host nodes of its only guest node */
	enum place_mode mode;
	unsigned int threads;
	double quota;
};

static const struct rule_case rule_cases[] = {
	{.name = "no rule"},
	{.name = "affinity",
		.rules = BIT(AFFINITY),
		.affinity = "0-31",
		.text = "affinity of its configuration, 0-31: 32 of 64 CPUs"},
	{.name = "an affinity that leaves all", .affinity = "0-63"},
	{.name = "limit",
		.rules = BIT(LIMIT),
		.limit = "0-15",
		.text = "the mask it had when it was first seen, 0-15: 16 of 64 CPUs"},
	{.name = "a limit in which its affinity shows",
		.rules = BIT(AFFINITY),
		.limit = "0-15",
		.affinity = "0-15"},
	{.name = "cgroup",
		.rules = BIT(CGROUP),
		.cgroup = "8-63",
		.text = "the cpuset of its cgroup, 8-63: 56 of 64 CPUs"},
	{.name = "reserved",
		.rules = BIT(RESERVED),
		.reserved = "0,32",
		.text = "reserved_cpus keeps CPUs 0,32 for the host"},
	{.name = "reserved, but it may not have them anyway",
		.rules = BIT(AFFINITY),
		.reserved = "0",
		.affinity = "8-15"},
	{.name = "isolated",
		.rules = BIT(ISOLATED),
		.isolated = "31,63",
		.text = "isolated CPUs 31,63: only pin and dedicated may have them"},
	{.name = "isolated ones that are not given out",
		.rules = BIT(ISOLATED),
		.isolated = "31",
		.mode = PLACE_PIN,
		.text = "isolated CPU 31: not in isolated_cpus"},
	{.name = "offline",
		.rules = BIT(OFFLINE),
		.offline = "5",
		.limit = "0-63",
		.text = "CPU 5 of its limit is offline"},
	{.name = "no limit but affinity, and one CPU offline",
		.rules = BIT(OFFLINE) | BIT(AFFINITY),
		.affinity = "0-31",
		.offline = "5",
		.limit = "0-2047",
		.text = "CPU 5 of its limit is offline"},
	{.name = "no limit, one CPU offline", .offline = "5", .limit = "0-2047"},
	{.name = "host nodes",
		.rules = BIT(HOST_NODES),
		.bound = "2",
		.text = "guest nodes bound to host nodes: 0 to 2"},
	{.name = "guest cores",
		.rules = BIT(GUEST_CORES),
		.threads = 2,
		.mode = PLACE_CORE,
		.text = "threads of a guest core belong on one host core"},
	{.name = "guest cores of a VM that floats", .threads = 2},
	{.name = "CPU 0",
		.rules = BIT(CPU0) | BIT(SETTLED),
		.mode = PLACE_DEDICATED,
		.text = "CPU 0's core is never a VM's alone"},
	{.name = "quota",
		.rules = BIT(QUOTA),
		.quota = 1.5,
		.text = "its CPU quota of 1.5 CPUs: so many of its 4 vCPUs count as "
			"busy"},
	{.name = "a quota that is large enough", .quota = 8},
};

static void
check_rule(const struct rule_case *c)
{
	struct cpuset offline = c->offline != NULL ? cpus_of(c->offline) : CPUSET_NONE;
	struct cpuset isolated =
		c->isolated != NULL ? cpus_of(c->isolated) : CPUSET_NONE;
	struct cpuset affinity = c->affinity ? cpus_of(c->affinity) : CPUSET_NONE;
	struct cpuset cgroup = c->cgroup ? cpus_of(c->cgroup) : CPUSET_NONE;
	struct plan_guest_node node = {
		.host_nodes = c->bound ? cpus_of(c->bound) : CPUSET_NONE};
	struct host h = host_make(&host_9354, &offline, &isolated);
	struct fleet *f = fleet_new(&h);
	struct fleet_vm *vm =
		fleet_add(f, "100", c->mode == PLACE_OFF ? PLACE_AUTO : c->mode, 4);
	const struct explain *e;
	struct asked a;
	char text[256];

	vm->in.affinity = c->affinity != NULL ? &affinity : NULL;
	vm->in.cgroup = c->cgroup != NULL ? &cgroup : NULL;
	vm->in.threads_per_core = c->threads;
	vm->in.cpulimit = c->quota;
	vm->in.n_guest_nodes = c->bound != NULL ? 1 : 0;
	vm->in.guest_nodes = c->bound != NULL ? &node : NULL;
	if (c->limit != NULL)
		vm->in.limit = cpus_of(c->limit);
	if (c->reserved != NULL)
		f->policy.reserved = cpus_of(c->reserved);
	a = asked_of(f, PLAN_EXPLAIN_ALL, NULL);
	e = a.plan->results[0].explain;
	assert_non_null(e);
	if (e->rules != c->rules)
		fail_msg("%s: rules %x instead of %x", c->name, e->rules, c->rules);
	for (unsigned int r = 0; r < EXPLAIN_N_RULES && c->text != NULL; r++) {
		if ((e->rules & 1u << r) == 0)
			continue;
		assert_string_equal(explain_rule_text(&a.in, &a.in.vms[0], e,
					    (enum explain_rule)r, text, sizeof(text)),
			c->text);
		break;
	}
	asked_fini(&a);
	fleet_free(f);
	host_fini(&h);
}

static void
a_rule_is_named_when_it_takes_something(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rule_cases); i++)
		check_rule(&rule_cases[i]);
}

static void
others_cores_are_named(void **state)
{
	struct host h = host_full(&host_7351p);
	struct fleet *f = fleet_new(&h);
	struct asked a;
	char text[256];

	(void)state;
	(void)fleet_add(f, "100", PLACE_AUTO, 2);
	(void)fleet_add(f, "101", PLACE_DEDICATED, 12);
	a = asked_of(f, PLAN_EXPLAIN_ALL, NULL);
	assert_int_equal(a.plan->results[0].explain->rules, BIT(EXCLUSIVE));
	assert_true(cpuset_equal(
		&a.plan->results[0].explain->exclusive, &a.plan->results[1].domain));
	(void)explain_rule_text(&a.in, &a.in.vms[0], a.plan->results[0].explain,
		EXPLAIN_EXCLUSIVE, text, sizeof(text));
	assert_non_null(strstr(text, "cores that are other VMs' alone: CPUs "));
	/* 12 vCPUs want 6 cores, of 4 in a node 3 may be theirs */
	assert_int_equal(a.plan->results[1].explain->rules,
		BIT(CPU0) | BIT(NODE_SHARE) | BIT(SETTLED));
	asked_fini(&a);
	fleet_free(f);
	host_fini(&h);
}

static void
a_vm_that_cannot_be_placed_has_its_rules_only(void **state)
{
	struct host h = host_full(&host_9354);
	struct fleet *f = fleet_new(&h);
	struct cpuset affinity = cpus_of("0-3");
	struct fleet_vm *vm = fleet_add(f, "100", PLACE_AUTO, 2);
	struct asked a;

	(void)state;
	vm->in.affinity = &affinity;
	f->policy.reserved = cpus_of("0-7");
	(void)fleet_add(f, "101", PLACE_OFF, 2);
	a = asked_of(f, PLAN_EXPLAIN_ALL, NULL);
	assert_int_equal(a.plan->results[0].verdict, PLAN_LEAVE);
	assert_non_null(a.plan->results[0].explain);
	assert_int_equal(
		a.plan->results[0].explain->rules, BIT(AFFINITY) | BIT(RESERVED));
	assert_true(cpuset_empty(&a.plan->results[0].explain->chosen.cpus));
	assert_null(a.plan->results[1].explain);
	asked_fini(&a);
	fleet_free(f);
	host_fini(&h);
}

static void
on_a_host_of_isolated_cpus_pinned_vms_have_reasons(void **state)
{
	struct cpuset isolated = cpus_of("2-15,18-31");
	struct host h = host_make(&host_7351p, &CPUSET_NONE, &isolated);
	struct fleet *f = fleet_new(&h);
	struct asked a;

	(void)state;
	f->policy.reserved = cpus_of("0-1,16-17");
	f->policy.isolated_usable = isolated;
	(void)fleet_add(f, "100", PLACE_PIN, 4);
	a = asked_of(f, PLAN_EXPLAIN_ALL, NULL);
	assert_int_equal(a.plan->results[0].verdict, PLAN_PLACE);
	assert_non_null(a.plan->results[0].explain);
	assert_int_equal(
		a.plan->results[0].explain->rules, BIT(RESERVED) | BIT(SETTLED));
	assert_true(a.plan->results[0].explain->chosen.total_ns > 0);
	asked_fini(&a);
	fleet_free(f);
	host_fini(&h);
}

/* ---- what came second, what would be better ---- */

static void
the_runner_up_of_an_empty_host_is_as_good(void **state)
{
	struct host h = host_full(&host_9354);
	struct fleet *f = fleet_new(&h);
	const struct explain *e;
	struct asked a;
	char text[256];

	(void)state;
	(void)fleet_add(f, "100", PLACE_AUTO, 4);
	a = asked_of(f, PLAN_EXPLAIN_NEW, NULL);
	asked_expect_sane(&a, 0);
	e = a.plan->results[0].explain;
	expect_cpus(&e->chosen.cpus, "0-3,32-35");
	expect_cpus(&e->chosen.nodes, "0");
	expect_cpus(&e->runner_up.cpus, "4-7,36-39");
	assert_int_equal(e->runner_up.verdict, EXPLAIN_DEARER);
	assert_string_equal(explain_verdict_text(e, &e->runner_up, text, sizeof(text)),
		"costs the same");
	assert_false(e->has_better);
	assert_string_equal(explain_better_text(&a.in, e, text, sizeof(text)), "");
	asked_fini(&a);
	fleet_free(f);
	host_fini(&h);
}

/* What all VMs wait is not what it pays for. */
static void
a_pinned_vm_that_is_too_large_says_what_cannot_run(void **state)
{
	struct host h = host_full(&host_9354);
	struct fleet *f = fleet_new(&h);
	struct asked a;
	char text[256];

	(void)state;
	(void)fleet_add(f, "100", PLACE_PIN, 128);
	fleet_step(f);
	a = asked_of(f, PLAN_EXPLAIN_ALL, NULL);
	assert_string_equal(
		explain_term_text(&a.in, &a.plan->results[0].explain->chosen,
			TERM_WAITING, text, sizeof(text)),
		"50.0 % of what its vCPUs want cannot run when all are busy");
	asked_fini(&a);
	fleet_free(f);
	host_fini(&h);
}

static void
a_pinned_vm_could_be_on_the_next_cores(void **state)
{
	static const enum place_mode modes[] = {PLACE_PIN, PLACE_CORE};
	static const char *const second[] = {"4-7", "4-7,36-39"};
	struct host h = host_full(&host_9354);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		struct fleet *f = fleet_new(&h);
		const struct explain *e;
		struct asked a;
		char text[256];

		(void)fleet_add(f, "100", modes[i], 4);
		fleet_step(f);
		a = asked_of(f, PLAN_EXPLAIN_ALL, NULL);
		asked_expect_sane(&a, 0);
		e = a.plan->results[0].explain;
		assert_true(e->has_runner_up);
		expect_cpus(&e->runner_up.cpus, second[i]);
		/* a core each, alone: nothing but distances */
		assert_true(e->chosen.total_ns <=
			    e->chosen.terms.ns[TERM_COMMUNICATION] + 1e-9);
		assert_string_equal(
			explain_verdict_text(e, &e->runner_up, text, sizeof(text)),
			"costs the same");
		asked_fini(&a);
		fleet_free(f);
	}
	host_fini(&h);
}

/* Memory draws it to node 2, where others are. */
static void
a_full_home_is_what_would_be_better(void **state)
{
	static const char *const terms[N_TERMS] = {
		[TERM_WAITING] = "VMs wait 0.0 % of their time because of masks",
		[TERM_MEMORY] = "0 % of its memory is local, 100 % of it is on node 2",
		[TERM_COMMUNICATION] = "mean latency between its vCPUs",
		[TERM_SMT] = "a core for each vCPU when all are busy",
		[TERM_PCI] = "no passed-through device is on another node",
		[TERM_FRAGMENTATION] =
			"others want none of its 8 CPUs, but CPUs around them",
		[TERM_MOVING] = "it stays where it is",
	};
	struct host h = host_full(&host_9354);
	struct fleet *f = fleet_new(&h);
	struct fleet_vm *vm;
	const struct explain *e;
	struct asked a;
	char text[256];

	(void)state;
	for (unsigned int i = 0; i < 4; i++) {
		vm = fleet_add_id(f, 100 + i, PLACE_AUTO, 14);
		vm->in.limit = cpus_of("16-23,48-55");
	}
	fleet_step(f);
	vm = fleet_add(f, "200", PLACE_AUTO, 4);
	vm->memory[2] = 1;
	vm->started = true;
	a = asked_of(f, PLAN_EXPLAIN_NEW, NULL);
	assert_null(a.plan->results[0].explain);
	asked_expect_sane(&a, 4);
	e = a.plan->results[4].explain;
	expect_cpus(&e->chosen.cpus, "0-3,32-35");
	for (unsigned int t = 0; t < N_TERMS; t++)
		assert_string_equal(explain_term_text(&a.in, &e->chosen, (enum term)t,
					    text, sizeof(text)),
			terms[t]);
	expect_cpus(&e->better.cpus, "16-19,48-51");
	assert_string_equal(explain_better_text(&a.in, e, text, sizeof(text)),
		"at least 6.0 of the 8 CPUs of L3 group 0 of node 2 were free, where "
		"others want 28.0; if all were free: 96.4 ns less a vCPU");
	asked_fini(&a);
	fleet_free(f);
	host_fini(&h);
}

/* VM 200 has its memory on node 2, but came when that was full; by now it is empty. */
static struct fleet *
homeless(const struct host *h)
{
	struct fleet *f = fleet_new(h);
	struct fleet_vm *vm = fleet_add(f, "100", PLACE_AUTO, 56);

	vm->in.limit = cpus_of("16-23,48-55");
	fleet_step(f);
	vm = fleet_add(f, "200", PLACE_AUTO, 4);
	vm->memory[2] = 1;
	vm->started = true;
	f->policy.now_s = 1000;
	fleet_step(f);
	fleet_remove(f, 0);
	return f;
}

struct hold_case {
	bool rebalance;
	double now_s;
	double changed_s;
	double gain_pct;
	enum explain_hold hold;
	const char *text; /* the end of the verdict */
	const char *rule; /* NULL: none */
};

static void
why_it_stays_is_said(void **state)
{
	static const struct hold_case cases[] = {
		{false, 2000, 1000, 10, EXPLAIN_OFF,
			"; but it runs where it is, and rebalance is off", NULL},
		{true, 2000, -PLAN_NEVER_S, 10, EXPLAIN_STILL,
			"; but it is paused, others set its masks, or they could not be "
			"set",
			NULL},
		{true, 1100, 1000, 10, EXPLAIN_RESTS,
			"; but it rests after its last change",
			"rebalance lets it rest for 300 s after a change, 100 s have "
			"passed"},
		{true, 1100, 1600, 10, EXPLAIN_RESTS,
			"; but it rests after its last change",
			"rebalance lets it rest for another 800 s"},
		{true, 2000, 1000, 90, EXPLAIN_LITTLE,
			"; too little for rebalance to move it", NULL},
		{true, 2000, 1000, 10, EXPLAIN_FREE,
			"; rebalance may move it when its turn comes", NULL},
	};
	struct host h = host_full(&host_9354);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct hold_case *c = &cases[i];
		struct fleet *f = homeless(&h);
		const struct explain *e;
		struct asked a;
		char text[256];

		f->policy.rebalance = c->rebalance;
		f->policy.rebalance_gain_pct = c->gain_pct;
		f->policy.now_s = c->now_s;
		f->vms[0].in.changed_s = c->changed_s;
		a = asked_of(f, PLAN_EXPLAIN_ALL, NULL);
		asked_expect_sane(&a, 0);
		e = a.plan->results[0].explain;
		assert_int_equal(e->runner_up.verdict, EXPLAIN_STAYS);
		assert_int_equal(e->hold, c->hold);
		assert_int_equal(e->rules, c->rule != NULL ? BIT(DWELL) : 0);
		expect_cpus(&e->runner_up.nodes, "2");
		(void)explain_verdict_text(e, &e->runner_up, text, sizeof(text));
		assert_non_null(
			strstr(text, "costs 120.0 ns less a vCPU: memory -120.0"));
		assert_string_equal(text + strlen(text) - strlen(c->text), c->text);
		(void)explain_better_text(&a.in, e, text, sizeof(text));
		assert_string_equal(text,
			"it was moved to L3 group 0 of node 2, of whose 8 CPUs others "
			"want 0.0; if all were free: 120.0 ns less a vCPU");
		(void)explain_rule_text(
			&a.in, &a.in.vms[0], e, EXPLAIN_DWELL, text, sizeof(text));
		if (c->rule != NULL)
			assert_string_equal(text, c->rule);
		asked_fini(&a);
		fleet_free(f);
	}
	host_fini(&h);
}

static void
verdicts_are_said_in_numbers(void **state)
{
	struct explain e = {.wait_mean_max = 0.006, .wait_tail_max = 0.016};
	struct explain_option *o = &e.runner_up;
	char text[256];

	(void)state;
	e.chosen.total_ns = 20;
	e.chosen.terms.ns[TERM_COMMUNICATION] = 20;
	*o = (struct explain_option){.total_ns = 32.3, .verdict = EXPLAIN_DEARER};
	o->terms.ns[TERM_COMMUNICATION] = 20.01;
	o->terms.ns[TERM_SMT] = 2.2;
	o->terms.ns[TERM_MEMORY] = 10.1;
	assert_string_equal(explain_verdict_text(&e, o, text, sizeof(text)),
		"costs 12.3 ns more a vCPU: memory +10.1, smt +2.2");
	o->total_ns = 12.5;
	o->terms = (struct terms){{[TERM_COMMUNICATION] = 12.5}};
	o->verdict = EXPLAIN_HARMS;
	o->others_ns = 40;
	assert_string_equal(explain_verdict_text(&e, o, text, sizeof(text)),
		"costs 7.5 ns less a vCPU: communication -7.5; but other VMs 40.0 ns "
		"more in all");
	o->verdict = EXPLAIN_WAITS;
	o->wait_mean = 0.018;
	assert_string_equal(explain_verdict_text(&e, o, text, sizeof(text)),
		"would make VMs wait: 1.8 % of their time expected, 0.6 % is the bound");
	o->wait_mean = 0.004;
	o->wait_tail = 0.051;
	assert_string_equal(explain_verdict_text(&e, o, text, sizeof(text)),
		"would make VMs wait at busy times: in 5.1 % of the draws more than 5 % "
		"of their time, 1.6 % is the bound");
	/* what does not fit is cut, never overrun */
	for (size_t size = 1; size < 40; size++) {
		(void)explain_verdict_text(&e, o, text, size);
		assert_int_equal(strlen(text), size - 1);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_rule_is_named_when_it_takes_something),
		cmocka_unit_test(others_cores_are_named),
		cmocka_unit_test(a_vm_that_cannot_be_placed_has_its_rules_only),
		cmocka_unit_test(on_a_host_of_isolated_cpus_pinned_vms_have_reasons),
		cmocka_unit_test(the_runner_up_of_an_empty_host_is_as_good),
		cmocka_unit_test(a_pinned_vm_that_is_too_large_says_what_cannot_run),
		cmocka_unit_test(a_pinned_vm_could_be_on_the_next_cores),
		cmocka_unit_test(a_full_home_is_what_would_be_better),
		cmocka_unit_test(why_it_stays_is_said),
		cmocka_unit_test(verdicts_are_said_in_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
