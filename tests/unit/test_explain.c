// SPDX-License-Identifier: MIT
/*
 * Reasons: which rules bound a VM, what came second, what would be better, in numbers
 * and in words, on hosts that can be checked by eye. And that asking changes nothing.
 */
#include "config.h"

#include "place/explain.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "fleet.h"
#include "place/why.h"

struct asked {
	struct plan_vm *vms;
	struct plan_input in;
	struct plan *plan;
};

static struct asked
ask(const struct fleet *f, enum plan_explain_of of, const char *id)
{
	struct asked a = {.vms = xcalloc(f->n + 1, sizeof(*a.vms))};
	struct err e = ERR_NONE;

	a.in = fleet_input(f, a.vms);
	a.in.explain = of;
	a.in.explain_id = id;
	if (planner_run(&a.in, &a.plan, &e) < 0)
		fail_msg("%s", e.text);
	return a;
}

static void
asked_fini(struct asked *a)
{
	plan_free(a->plan);
	free(a->vms);
}

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

#define BIT(x) (1u << EXPLAIN_##x)

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
		.rules = BIT(CPU0),
		.mode = PLACE_DEDICATED,
		.text = "CPU 0's core is never a VM's alone"},
	{.name = "quota",
		.rules = BIT(QUOTA),
		.quota = 1.5,
		.text = "its CPU quota: of 4 vCPUs 1.5 count as busy"},
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
	a = ask(f, PLAN_EXPLAIN_ALL, NULL);
	e = a.plan->results[0].explain;
	assert_non_null(e);
	if (e->rules != c->rules)
		fail_msg("%s: rules %x instead of %x", c->name, e->rules, c->rules);
	for (unsigned int r = 0; r < EXPLAIN_N_RULES && c->text != NULL; r++) {
		if ((e->rules & 1u << r) != 0)
			assert_string_equal(
				explain_rule_text(&a.in, &a.in.vms[0], e,
					(enum explain_rule)r, text, sizeof(text)),
				c->text);
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
	a = ask(f, PLAN_EXPLAIN_ALL, NULL);
	assert_int_equal(a.plan->results[0].explain->rules, BIT(EXCLUSIVE));
	assert_true(cpuset_equal(
		&a.plan->results[0].explain->exclusive, &a.plan->results[1].domain));
	(void)explain_rule_text(&a.in, &a.in.vms[0], a.plan->results[0].explain,
		EXPLAIN_EXCLUSIVE, text, sizeof(text));
	assert_non_null(strstr(text, "cores that are other VMs' alone: CPUs "));
	/* 12 vCPUs want 6 cores, of 4 in a node 3 may be theirs */
	assert_int_equal(
		a.plan->results[1].explain->rules, BIT(CPU0) | BIT(NODE_SHARE));
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
	a = ask(f, PLAN_EXPLAIN_ALL, NULL);
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
	a = ask(f, PLAN_EXPLAIN_ALL, NULL);
	assert_int_equal(a.plan->results[0].verdict, PLAN_PLACE);
	assert_non_null(a.plan->results[0].explain);
	assert_int_equal(a.plan->results[0].explain->rules, BIT(RESERVED));
	assert_true(a.plan->results[0].explain->chosen.total_ns > 0);
	asked_fini(&a);
	fleet_free(f);
	host_fini(&h);
}

/* ---- what came second, what would be better ---- */

static void
expect_sane(const struct asked *a, unsigned int i)
{
	const struct plan_result *r = &a->plan->results[i];
	const struct explain *e = r->explain;
	double sum = 0;

	assert_non_null(e);
	assert_true(cpuset_equal(&e->chosen.cpus, &r->domain));
	for (unsigned int t = 0; t < N_TERMS; t++) {
		assert_true(e->chosen.terms.ns[t] >= 0);
		sum += e->chosen.terms.ns[t];
	}
	assert_true(sum - e->chosen.total_ns < 1e-9 && e->chosen.total_ns - sum < 1e-9);
	if (e->has_runner_up) {
		assert_false(cpuset_equal(&e->runner_up.cpus, &e->chosen.cpus));
		assert_false(cpuset_empty(&e->runner_up.cpus));
	}
	if (e->has_better) {
		double n = cpuset_count(&e->better.cpus);

		assert_false(cpuset_equal(&e->better.cpus, &e->chosen.cpus));
		assert_true(e->better.total_ns < e->chosen.total_ns);
		assert_true(e->better_free_cpus > 0 && e->better_free_cpus <= n);
	}
}

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
	a = ask(f, PLAN_EXPLAIN_NEW, NULL);
	expect_sane(&a, 0);
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

/* Memory draws it to node 2, where others are. */
static void
a_full_home_is_what_would_be_better(void **state)
{
	static const char *const terms[N_TERMS] = {
		[TERM_WAITING] = "VMs wait 0.0 % of their time because of masks",
		[TERM_MEMORY] = "0 % of its memory is local",
		[TERM_COMMUNICATION] = "mean latency between its vCPUs",
		[TERM_SMT] = "a core for each vCPU when all are busy",
		[TERM_PCI] = "no passed-through device is on another node",
		[TERM_FRAGMENTATION] =
			"others want up to 0.0 of its 8 CPUs, and CPUs around them",
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
		char id[16];

		(void)snprintf(id, sizeof(id), "%u", 100 + i);
		vm = fleet_add(f, id, PLACE_AUTO, 14);
		vm->in.limit = cpus_of("16-23,48-55");
	}
	fleet_step(f);
	vm = fleet_add(f, "200", PLACE_AUTO, 4);
	vm->memory[2] = 1;
	vm->started = true;
	a = ask(f, PLAN_EXPLAIN_NEW, NULL);
	assert_null(a.plan->results[0].explain);
	expect_sane(&a, 4);
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
	double gain_pct;
	enum place_mode mode;
	enum explain_hold hold;
	unsigned int rules;
	const char *text; /* the end of the verdict */
};

static void
why_it_stays_is_said(void **state)
{
	static const struct hold_case cases[] = {
		{false, 2000, 10, PLACE_AUTO, EXPLAIN_OFF, 0,
			"; but it runs where it is, and rebalance is off"},
		{true, 1100, 10, PLACE_AUTO, EXPLAIN_RESTS, BIT(DWELL),
			"; but it has changed a short time ago and rests"},
		{true, 2000, 90, PLACE_AUTO, EXPLAIN_LITTLE, 0,
			"; too little for rebalance to move it"},
		{true, 2000, 10, PLACE_AUTO, EXPLAIN_FREE, 0,
			"; rebalance may move it when its turn comes"},
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
		a = ask(f, PLAN_EXPLAIN_ALL, NULL);
		expect_sane(&a, 0);
		e = a.plan->results[0].explain;
		assert_int_equal(e->runner_up.verdict, EXPLAIN_STAYS);
		assert_int_equal(e->hold, c->hold);
		assert_int_equal(e->rules, c->rules);
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
		if (c->rules != 0)
			assert_string_equal(text,
				"rebalance lets it rest for 300 s after a change, "
				"100 s have passed");
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

/* ---- random fleets ---- */

static const enum place_mode modes[] = {PLACE_AUTO, PLACE_AUTO, PLACE_AUTO, PLACE_FLOAT,
	PLACE_OBSERVE, PLACE_PIN, PLACE_CORE, PLACE_DEDICATED};

/* Of guests with two nodes, not bound to any of the host. */
static const struct plan_guest_node guest_nodes[2];
static const uint16_t guest_node_of[32] = {0, 1, 0, 1, 1, 0, 0, 1, 1, 1, 1, 1, 0, 0};

static void
add_random(struct fleet *f, uint64_t *seed, const enum place_mode *of, unsigned int n)
{
	struct fleet_vm *vm;
	char id[16];

	(void)snprintf(id, sizeof(id), "%u", 100 + f->n);
	vm = fleet_add(f, id, of[fleet_below(seed, n)], fleet_random_size(seed));
	if (fleet_below(seed, 4) == 0) {
		vm->memory[fleet_below(seed, f->host->topo->n_nodes)] = 1;
		vm->started = true;
	}
	if (fleet_below(seed, 8) == 0)
		vm->in.limit = cpuset_below(8 + fleet_below(seed, 24));
	vm->in.memory_gib = 3 * fleet_below(seed, 8);
	if (fleet_below(seed, 4) != 0)
		return;
	vm->in.n_guest_nodes = 2;
	vm->in.guest_nodes = guest_nodes;
	vm->in.guest_node_of = guest_node_of;
}

/* A fleet that came in several steps, the last ones not yet placed. */
static struct fleet *
random_fleet(
	const struct host *h, uint64_t *seed, const enum place_mode *of, unsigned int n)
{
	struct fleet *f = fleet_new(h);

	for (unsigned int step = fleet_below(seed, 4) + 1; step > 0; step--) {
		for (unsigned int k = fleet_below(seed, 6) + 1; k > 0; k--)
			add_random(f, seed, of, n);
		if (step > 1)
			fleet_step(f);
	}
	f->policy.rebalance = fleet_below(seed, 2) == 0;
	f->policy.rebalance_vms = 2;
	f->policy.rebalance_vcpus = 8;
	f->policy.now_s = 1000;
	return f;
}

static bool
same_result(const struct plan_result *a, const struct plan_result *b)
{
	return a->verdict == b->verdict && a->apply == b->apply &&
	       a->n_vcpus == b->n_vcpus && cpuset_equal(&a->emulator, &b->emulator) &&
	       cpuset_equal(&a->domain, &b->domain) && str_equal(a->why, b->why) &&
	       (a->n_vcpus == 0 ||
		       memcmp(a->vcpus, b->vcpus, a->n_vcpus * sizeof(*a->vcpus)) == 0);
}

static void
asking_changes_no_plan(void **state)
{
	uint64_t seed = 4711;
	unsigned int waits = 0;
	unsigned int betters = 0;
	unsigned int seconds[EXPLAIN_HARMS + 1] = {0};

	(void)state;
	for (unsigned int k = 0; k < 200; k++) {
		struct host h = host_full(k % 2 == 0 ? &host_9354 : &host_7351p);
		struct fleet *f = random_fleet(&h, &seed, modes, ARRAY_LEN(modes));
		struct asked none = ask(f, PLAN_EXPLAIN_NONE, NULL);
		struct asked all = ask(f, PLAN_EXPLAIN_ALL, NULL);

		for (unsigned int i = 0; i < f->n; i++) {
			const struct plan_result *r = &all.plan->results[i];

			if (!same_result(&none.plan->results[i], r))
				fail_msg("fleet %u, vm %s", k, f->vms[i].id);
			assert_null(none.plan->results[i].explain);
			if (r->verdict == PLAN_LEAVE)
				continue;
			expect_sane(&all, i);
			waits += (r->explain->rules & BIT(WAITING)) != 0;
			betters += r->explain->has_better;
			if (r->explain->has_runner_up)
				seconds[r->explain->runner_up.verdict]++;
		}
		asked_fini(&none);
		asked_fini(&all);
		fleet_free(f);
		host_fini(&h);
	}
	printf("waiting %u, better %u; dearer %u, waits %u, stays %u, harms %u\n",
		waits, betters, seconds[EXPLAIN_DEARER], seconds[EXPLAIN_WAITS],
		seconds[EXPLAIN_STAYS], seconds[EXPLAIN_HARMS]);
	assert_true(waits > 0 && betters > 0);
	for (unsigned int v = EXPLAIN_DEARER; v <= EXPLAIN_HARMS; v++)
		assert_true(seconds[v] > 0);
}

static bool
same_option(const struct explain_option *a, const struct explain_option *b)
{
	for (unsigned int t = 0; t < N_TERMS; t++) {
		if (a->terms.ns[t] < b->terms.ns[t] || a->terms.ns[t] > b->terms.ns[t])
			return false;
	}
	return a->verdict == b->verdict && cpuset_equal(&a->cpus, &b->cpus);
}

/* One VM's reasons leave nothing behind in which another's could differ: to the last
 * bit. */
static void
reasons_do_not_depend_on_who_else_is_asked_for(void **state)
{
	uint64_t seed = 99;
	double free_gib[8];

	(void)state;
	for (unsigned int k = 0; k < 60; k++) {
		struct host h = host_full(k % 2 == 0 ? &host_9354 : &host_7351p);
		struct fleet *f = random_fleet(&h, &seed, modes, ARRAY_LEN(modes));
		struct asked all;

		for (unsigned int n = 0; n < ARRAY_LEN(free_gib); n++)
			free_gib[n] = 0.1 * fleet_below(&seed, 300);
		f->node_free_gib = free_gib;
		all = ask(f, PLAN_EXPLAIN_ALL, NULL);
		for (unsigned int i = 0; i < f->n; i++) {
			struct asked one = ask(f, PLAN_EXPLAIN_ALL, f->vms[i].id);
			const struct explain *x = all.plan->results[i].explain;
			const struct explain *y = one.plan->results[i].explain;

			assert_true(same_option(&x->chosen, &y->chosen));
			assert_true(same_option(&x->runner_up, &y->runner_up));
			assert_true(same_option(&x->better, &y->better));
			assert_int_equal(x->rules, y->rules);
			for (unsigned int o = 0; o < f->n; o++)
				assert_true(
					o == i || one.plan->results[o].explain == NULL);
			asked_fini(&one);
		}
		asked_fini(&all);
		fleet_free(f);
		host_fini(&h);
	}
}

/* Load of other VMs on these CPUs. */
static double
load_on(const struct fleet *f, unsigned int but, const struct cpuset *cpus)
{
	double load = 0;

	for (unsigned int i = 0; i < f->n; i++) {
		const struct fleet_vm *vm = &f->vms[i];

		for (unsigned int v = 0; i != but && v < vm->in.n_current; v++) {
			struct cpuset here = cpuset_and(&vm->masks[v], cpus);

			load += (double)cpuset_count(&here) /
				cpuset_count(&vm->masks[v]);
		}
	}
	return load;
}

/* Others go until no more than @load is left there. */
static void
make_room(struct fleet *f, unsigned int *but, const struct cpuset *cpus, double load)
{
	for (unsigned int i = f->n; i-- > 0;) {
		if (load_on(f, *but, cpus) <= load + 1e-9)
			return;
		if (i == *but || !cpuset_overlap(&f->vms[i].masks[0], cpus))
			continue;
		fleet_remove(f, i);
		*but -= i < *but;
	}
}

/* The VM is planned as if it were new; what it pays. */
static double
pays(struct fleet *f, unsigned int vm, struct cpuset *where)
{
	struct asked a;
	double total;

	f->vms[vm].in.n_current = 0;
	f->vms[vm].in.placed = false;
	a = ask(f, PLAN_EXPLAIN_NEW, f->vms[vm].id);
	*where = a.plan->results[vm].domain;
	total = a.plan->results[vm].explain->chosen.total_ns;
	asked_fini(&a);
	return total;
}

/*
 * As free as is said to be needed, the better place costs less than what the VM had,
 * and is chosen, unless with those VMs something has become free that is as good for
 * it, or better for all, or others whose limits cut it would wait.
 * Returns 1 when it is chosen, 0 when it is not, -1: nothing is said.
 */
static int
try_better(struct fleet *f, unsigned int vm)
{
	struct asked a = ask(f, PLAN_EXPLAIN_ALL, f->vms[vm].id);
	const struct explain *e = a.plan->results[vm].explain;
	struct cpuset better = e->better.cpus;
	double load = cpuset_count(&better) - e->better_free_cpus;
	double had = e->chosen.total_ns;
	bool has = e->has_better;
	struct cpuset where;
	double now;
	double there;

	asked_fini(&a);
	if (!has)
		return -1;
	make_room(f, &vm, &better, load);
	now = pays(f, vm, &where);
	if (cpuset_equal(&where, &better))
		return 1;
	f->vms[vm].in.limit = better;
	there = pays(f, vm, &better);
	if (cpuset_within(&better, &where)) /* and widened */
		return 0;
	if (there >= had || now >= had)
		fail_msg("had %f ns, would have %f ns there, gets %f ns", had, there,
			now);
	return 0;
}

static void
what_would_be_better_is_chosen_when_it_is_free(void **state)
{
	static const enum place_mode mode = PLACE_AUTO;
	unsigned int said = 0;
	unsigned int chosen = 0;

	(void)state;
	for (unsigned int k = 0; k < 300; k++) {
		uint64_t seed = 100 + k;
		struct host h = host_full(k % 2 == 0 ? &host_9354 : &host_7351p);
		struct fleet *f = random_fleet(&h, &seed, &mode, 1);
		int r;

		f->policy.rebalance = false;
		fleet_step(f);
		r = try_better(f, fleet_below(&seed, f->n));
		said += r >= 0;
		chosen += r > 0;
		fleet_free(f);
		host_fini(&h);
	}
	printf("better %u, chosen %u\n", said, chosen);
	assert_true(said >= 50);
	assert_true(chosen * 3 >= said * 2);
}

/* ---- cost ---- */

static double
now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static double
cost_ms(const struct fleet *f, enum plan_explain_of of, const char *id)
{
	double least = 1e9;

	for (unsigned int k = 0; k < 3; k++) {
		double start = now_ms();
		struct asked a = ask(f, of, id);
		double took = now_ms() - start;

		least = took < least ? took : least;
		asked_fini(&a);
	}
	return least;
}

/* Bounds are generous: sanitizers and busy machines. */
static void
reasons_cost_little(void **state)
{
	static const enum place_mode mode = PLACE_AUTO;
	struct host h = host_full(&host_9654_2s);
	struct fleet *f = fleet_new(&h);
	uint64_t seed = 7;
	double none;
	double one;
	double all;

	(void)state;
	for (unsigned int i = 0; i < 300; i++)
		add_random(f, &seed, &mode, 1);
	fleet_step(f);
	none = cost_ms(f, PLAN_EXPLAIN_NONE, NULL);
	one = cost_ms(f, PLAN_EXPLAIN_ALL, "150") - none;
	all = cost_ms(f, PLAN_EXPLAIN_ALL, NULL) - none;
	printf("384 PUs, 300 VMs: plan %.2f ms, reasons of one %.2f ms, of all %.2f ms\n",
		none, one, all);
	assert_true(one < 20);
	assert_true(all < 300 * 20);
	fleet_free(f);
	host_fini(&h);
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
		cmocka_unit_test(a_full_home_is_what_would_be_better),
		cmocka_unit_test(why_it_stays_is_said),
		cmocka_unit_test(verdicts_are_said_in_numbers),
		cmocka_unit_test(asking_changes_no_plan),
		cmocka_unit_test(reasons_do_not_depend_on_who_else_is_asked_for),
		cmocka_unit_test(what_would_be_better_is_chosen_when_it_is_free),
		cmocka_unit_test(reasons_cost_little),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
