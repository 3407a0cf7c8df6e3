// SPDX-License-Identifier: MIT
/* Who is given whole cores in mode auto, how long he keeps them, and what it is worth.
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
#include "place/explain.h"
#include "place/score.h"

#define PLENTY 100000u
#define L3 "0-3,32-35" /* the first L3 group of host_9354: four cores */

static struct cpuset
cpus(const char *text)
{
	struct cpuset s = CPUSET_NONE;

	assert_int_equal(cpuset_parse(text, &s), 0);
	return s;
}

/* A VM that has been on @mask for ever, its memory on node 0, each second vCPU a
 * sibling of the one before. It seldom wants more than half of its vCPUs. */
static struct fleet_vm *
add_placed(struct fleet *f, const char *id, unsigned int n_vcpus, const char *mask)
{
	struct fleet_vm *vm = fleet_add(f, id, PLACE_AUTO, n_vcpus);

	vm->masks = xcalloc(n_vcpus, sizeof(*vm->masks));
	for (unsigned int v = 0; v < n_vcpus; v++)
		vm->masks[v] = cpus(mask);
	vm->in.n_current = n_vcpus;
	vm->in.placed = true;
	vm->in.changed_s = PLAN_NEVER_S;
	vm->in.threads_per_core = 2;
	vm->in.demand_vcpus = n_vcpus / 2.0;
	vm->memory[0] = 1;
	vm->started = true;
	return vm;
}

static struct fleet *
fleet_of(const struct host *h)
{
	struct fleet *f = fleet_new(h);

	f->policy.rebalance = true;
	f->policy.rebalance_vms = PLENTY;
	f->policy.rebalance_vcpus = PLENTY;
	f->policy.now_s = 1000;
	return f;
}

/* Pairs of vCPUs have a core each, and all of them different ones. */
static bool
has_cores(const struct host *h, const struct plan_result *r)
{
	struct cpuset all = CPUSET_NONE;

	for (unsigned int v = 0; v < r->n_vcpus; v++) {
		const struct topo_pu *pu =
			topo_pu_of(h->topo, cpuset_next(&r->vcpus[v], 0));

		if (!cpuset_equal(&r->vcpus[v], &h->topo->cores[pu->core].cpus) ||
			!cpuset_equal(&r->vcpus[v], &r->vcpus[v & ~1u]))
			return false;
		all = cpuset_or(&all, &r->vcpus[v]);
	}
	return cpuset_count(&all) == r->n_vcpus;
}

static bool
has_mask(const struct plan_result *r, const char *mask)
{
	struct cpuset s = cpus(mask);

	for (unsigned int v = 0; v < r->n_vcpus; v++) {
		if (!cpuset_equal(&r->vcpus[v], &s))
			return false;
	}
	return r->n_vcpus > 0;
}

static void
a_vm_alone_in_its_domain_gets_whole_cores_and_says_so(void **state)
{
	struct host h = host_full(&host_9354);
	struct fleet *f = fleet_of(&h);
	struct cpuset l3 = cpus(L3);
	struct plan *p;

	(void)state;
	add_placed(f, "100", 4, L3);
	p = fleet_plan(f);
	assert_int_equal(p->results[0].verdict, PLAN_PLACE);
	assert_true(p->results[0].rebalanced);
	assert_true(has_cores(&h, &p->results[0]));
	assert_true(cpuset_within(&p->results[0].domain, &l3));
	if (strstr(p->results[0].why, "narrowed to whole cores since") == NULL ||
		strstr(p->results[0].why, "most of it communication") == NULL)
		fail_msg("%s", p->results[0].why);
	plan_free(p);
	fleet_free(f);
	host_fini(&h);
}

/* A host on which VM 100 would be given cores, but for what a case changes. */
struct other {
	const char *name;
	const struct host_spec *spec; /* NULL: host_9354 */
	const char *mask;	      /* NULL: L3 */
	unsigned int n_vcpus;	      /* 0: 4 */
	void (*change)(struct fleet *f);
	bool wanted;
};

static void
beside_it(struct fleet *f)
{
	(void)add_placed(f, "200", 2, L3);
}

static void
over_it(struct fleet *f)
{
	struct fleet_vm *vm = add_placed(f, "200", 2, "0-63");

	vm->in.changed_s = f->policy.now_s;
}

static void
left_over_it(struct fleet *f)
{
	over_it(f);
	f->vms[1].in.mode = PLACE_OFF;
}

static void
pinned_beside_it(struct fleet *f)
{
	struct fleet_vm *vm = add_placed(f, "200", 1, "3");

	vm->in.mode = PLACE_PIN;
}

static void
in_the_next_domain(struct fleet *f)
{
	struct fleet_vm *vm = add_placed(f, "200", 2, "4-7,36-39");

	vm->in.threads_per_core = 0;
}

/* 24 of 32 cores are spoken for, and a bit. */
static void
on_a_full_host(struct fleet *f)
{
	static const char *const masks[] = {"8-15,40-47", "16-23,48-55", "24-31,56-63"};

	for (unsigned int i = 0; i < 3; i++) {
		char id[16];

		(void)snprintf(id, sizeof(id), "%u", 200 + i);
		add_placed(f, id, 8, masks[i])->in.threads_per_core = 0;
		f->vms[1 + i].in.demand_vcpus = 8;
		f->vms[1 + i].memory[0] = 0;
		f->vms[1 + i].memory[1 + i] = 1;
	}
}

static void
no_siblings(struct fleet *f)
{
	f->vms[0].in.threads_per_core = 1;
}

static void
four_threads(struct fleet *f)
{
	f->vms[0].in.threads_per_core = 4;
}

static void
quota(struct fleet *f)
{
	f->vms[0].in.cpulimit = 2;
}

static void
float_mode(struct fleet *f)
{
	f->vms[0].in.mode = PLACE_FLOAT;
}

static void
observed(struct fleet *f)
{
	f->vms[0].in.mode = PLACE_OBSERVE;
}

static void
rebalance_off(struct fleet *f)
{
	f->policy.rebalance = false;
}

static void
no_allowance(struct fleet *f)
{
	f->policy.rebalance_vcpus = 3;
}

static void
changed_lately(struct fleet *f)
{
	f->vms[0].in.changed_s = f->policy.now_s - f->policy.rebalance_dwell_s + 1;
}

static void
changed_long_ago(struct fleet *f)
{
	f->vms[0].in.changed_s = f->policy.now_s - f->policy.rebalance_dwell_s;
}

static void
little_gain(struct fleet *f)
{
	f->policy.rebalance_gain_pct = 90;
}

/* With all of its vCPUs busy it loses the two idle cores of its domain. */
static void
all_busy(struct fleet *f)
{
	f->vms[0].in.demand_vcpus = 4;
}

static void
few_cpus(struct fleet *f)
{
	f->vms[0].in.limit = cpus("0-2,32-34");
}

static void
who_is_given_whole_cores(void **state)
{
	static const struct other cases[] = {
		{.name = "as it is", .wanted = true},
		{.name = "one rests in the next domain",
			.change = in_the_next_domain,
			.wanted = true},
		{.name = "changed long ago",
			.change = changed_long_ago,
			.wanted = true},
		{.name = "a VM beside it", .change = beside_it},
		{.name = "a VM over all", .change = over_it},
		{.name = "a VM of others over all", .change = left_over_it},
		{.name = "a pinned VM beside it", .change = pinned_beside_it},
		{.name = "few cores are left", .change = on_a_full_host},
		{.name = "no siblings in the guest", .change = no_siblings},
		{.name = "more siblings than the host's", .change = four_threads},
		{.name = "half a guest core", .n_vcpus = 3},
		{.name = "a host without siblings", .spec = &host_snc, .mask = "0-7"},
		{.name = "a CPU quota", .change = quota},
		{.name = "mode float", .change = float_mode},
		{.name = "mode observe", .change = observed},
		{.name = "rebalance is off", .change = rebalance_off},
		{.name = "no allowance", .change = no_allowance},
		{.name = "changed lately", .change = changed_lately},
		{.name = "too little a gain", .change = little_gain},
		{.name = "all vCPUs busy", .change = all_busy},
		{.name = "a limit inside the domain",
			.mask = "0-2,32-34",
			.change = few_cpus},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct other *c = &cases[i];
		struct host h = host_full(c->spec != NULL ? c->spec : &host_9354);
		struct fleet *f = fleet_of(&h);
		struct plan *p;

		add_placed(f, "100", c->n_vcpus > 0 ? c->n_vcpus : 4,
			c->mask != NULL ? c->mask : L3);
		if (c->change != NULL)
			c->change(f);
		p = fleet_plan(f);
		if (p->results[0].rebalanced != c->wanted ||
			(c->wanted && !has_cores(&h, &p->results[0])))
			fail_msg("%s: %s", c->name, p->results[0].why);
		plan_free(p);
		fleet_free(f);
		host_fini(&h);
	}
}

/* A fleet whose VM 100 has been narrowed in the L3 group 0 of node 0. */
static struct fleet *
narrowed(const struct host *h, unsigned int n_vcpus)
{
	struct fleet *f = fleet_of(h);
	struct plan *p;

	add_placed(f, "100", n_vcpus, L3);
	p = fleet_plan(f);
	assert_true(p->results[0].rebalanced);
	assert_true(has_cores(h, &p->results[0]));
	fleet_apply(f, p);
	plan_free(p);
	return f;
}

static void
it_keeps_its_cores_while_nothing_happens(void **state)
{
	static const unsigned int sizes[] = {2, 4};
	struct host h = host_full(&host_9354);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct fleet *f = narrowed(&h, sizes[i]);

		for (unsigned int round = 0; round < 6; round++) {
			struct plan *p;

			f->policy.now_s += 400;
			f->policy.rebalance = round < 3;
			/* it does not matter then what would be worth a move */
			f->policy.rebalance_gain_pct = round == 2 ? 90 : 10;
			p = fleet_plan(f);
			if (p->results[0].verdict != PLAN_KEEP ||
				p->results[0].rebalanced ||
				!has_cores(&h, &p->results[0]) ||
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

	if (!has_mask(&p->results[0], mask) || p->results[0].rebalanced ||
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
	struct fleet *f = narrowed(&h, 4);

	(void)state;
	f->policy.now_s += 1000;
	f->vms[0].in.cpulimit = 2;
	expect_floating(f, L3, "a quota");
	f->vms[0].in.cpulimit = 0;
	f->vms[0].in.mode = PLACE_FLOAT;
	expect_floating(f, L3, "mode float");
	f->vms[0].in.mode = PLACE_AUTO;
	f->vms[0].in.threads_per_core = 4;
	expect_floating(f, L3, "other siblings");
	f->vms[0].in.threads_per_core = 2;
	f->vms[0].in.n_vcpus = 6;
	expect_floating(f, L3, "two vCPUs plugged");
	f->vms[0].in.n_vcpus = 3;
	f->vms[0].in.n_current = 3;
	expect_floating(f, L3, "one unplugged");
	f->vms[0].in.n_vcpus = 4;
	f->vms[0].in.n_current = 4;
	f->background = busy;
	for (unsigned int i = 0; i < h.topo->n_pus; i++)
		busy[i] = 0.2;
	expect_floating(f, L3, "work of others");
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
	struct fleet *f = narrowed(&h, 4);
	struct plan *p;

	(void)state;
	f->background = busy;
	for (unsigned int i = 0; i < h.topo->n_pus; i++)
		busy[i] = 0.08;
	p = fleet_plan(f);
	assert_int_equal(p->results[0].verdict, PLAN_KEEP);
	assert_true(has_cores(&h, &p->results[0]));
	plan_free(p);
	for (unsigned int v = 0; v < 4; v++)
		f->vms[0].masks[v] = cpus(L3);
	f->vms[0].in.changed_s = PLAN_NEVER_S;
	p = fleet_plan(f);
	assert_int_equal(p->results[0].verdict, PLAN_KEEP);
	assert_true(has_mask(&p->results[0], L3));
	plan_free(p);
	fleet_free(f);
	free(busy);
	host_fini(&h);
}

static void
it_floats_over_what_is_left_when_a_cpu_of_a_core_goes(void **state)
{
	struct host full = host_full(&host_9354);
	struct fleet *f = narrowed(&full, 4);
	struct cpuset had = f->vms[0].masks[0];
	struct cpuset gone = cpuset_of(cpuset_next(&had, 0));
	struct cpuset rest = cpus(L3);
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
		struct cpuset s = cpus(masks[i]);
		struct fleet_vm *vm;
		char id[16];

		(void)snprintf(id, sizeof(id), "%u", 200 + i);
		vm = add_placed(f, id, cpuset_count(&s), masks[i]);
		vm->in.threads_per_core = 0;
		vm->in.limit = s;
		vm->in.demand_vcpus = 0;
	}
}

static void
a_newcomer_finds_it_floating(void **state)
{
	struct host h = host_full(&host_9354);
	struct fleet *f = narrowed(&h, 4);
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
		f->vms[0].masks[v] = cpus(L3);
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
	struct fleet *f = narrowed(&h, 4);
	unsigned int changes = 0;

	(void)state;
	for (unsigned int i = 0; i < 100; i++) {
		struct plan *p;

		f->policy.now_s += 30;
		if (i % 2 == 0)
			add_placed(f, "900", 1, L3)->in.changed_s = f->policy.now_s;
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
	struct fleet *f = narrowed(&h, 4);
	struct cpuset node = cpus("16-23,48-55");
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
	struct fleet *f = narrowed(&h, 4);
	struct plan_vm *vms = xcalloc(f->n, sizeof(*vms));
	struct plan_input in = fleet_input(f, vms);
	struct cpuset l3 = cpus(L3);
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

static struct score
score_of(const struct fleet *f)
{
	struct plan_vm *vms = xcalloc(f->n, sizeof(*vms));
	struct plan_input in = fleet_input(f, vms);
	struct score s;

	assert_int_equal(score_masks(&in, &s, NULL), 0);
	free(vms);
	return s;
}

/* Some VMs on a host that is half empty, which seldom want all of their vCPUs. */
static struct fleet *
random_fleet(const struct host *h, uint64_t *rnd)
{
	struct fleet *f = fleet_new(h);
	unsigned int percent = 10 + fleet_below(rnd, 70);

	while (fleet_vcpus(f) * 100 < percent * h->topo->n_pus) {
		unsigned int n = fleet_random_size(rnd);
		struct fleet_vm *vm;
		char id[16];

		(void)snprintf(id, sizeof(id), "%u", 100 + f->n);
		vm = fleet_add(f, id, PLACE_AUTO, n);
		vm->in.threads_per_core = 1 + fleet_below(rnd, 2);
		vm->in.demand_vcpus = n / (1.0 + fleet_below(rnd, 3));
		fleet_step(f);
	}
	for (unsigned int i = f->n; i-- > 1;) {
		if (fleet_below(rnd, 3) == 0)
			fleet_remove(f, i);
	}
	return f;
}

/* Plans until nothing moves. Returns how many had cores at the end. */
static unsigned int
expect_rest(const struct host *h, uint64_t seed)
{
	uint64_t rnd = seed * 7919 + 1;
	struct fleet *f = random_fleet(h, &rnd);
	struct score before = score_of(f);
	unsigned int n = 0;
	bool moved = true;

	f->policy.rebalance = true;
	f->policy.rebalance_vms = PLENTY;
	f->policy.rebalance_vcpus = PLENTY;
	f->policy.rebalance_dwell_s = 0;
	f->policy.rebalance_gain_pct = fleet_below(&rnd, 2) * 10;
	for (unsigned int rounds = 0; moved; rounds++) {
		struct plan *p = fleet_plan(f);
		struct score now;

		moved = false;
		n = 0;
		for (unsigned int i = 0; i < p->n; i++) {
			moved |= p->results[i].rebalanced;
			n += strstr(p->results[i].why, "narrowed to whole") != NULL;
		}
		fleet_apply(f, p);
		plan_free(p);
		now = score_of(f);
		if (moved && now.total_ns >= before.total_ns)
			fail_msg("seed %u: %g ns, then %g", (unsigned int)seed,
				before.total_ns, now.total_ns);
		if (now.wait_mean > before.wait_mean + 1e-9 && !now.waits_ok)
			fail_msg("seed %u: they wait", (unsigned int)seed);
		if (rounds > 200)
			fail_msg("seed %u: does not end", (unsigned int)seed);
		before = now;
	}
	fleet_free(f);
	return n;
}

static void
each_round_is_better_than_the_last_until_nothing_moves(void **state)
{
	static const struct host_spec *const specs[] = {
		&host_9354, &host_7351p, &host_9654_nps1, &host_hybrid};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(specs); i++) {
		struct host h = host_full(specs[i]);
		unsigned int n = 0;

		for (uint64_t seed = 1; seed <= 30; seed++)
			n += expect_rest(&h, seed);
		if (n == 0)
			fail_msg("%s: nobody had cores", specs[i]->name);
		host_fini(&h);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_vm_alone_in_its_domain_gets_whole_cores_and_says_so),
		cmocka_unit_test(who_is_given_whole_cores),
		cmocka_unit_test(it_keeps_its_cores_while_nothing_happens),
		cmocka_unit_test(whatever_happens_it_floats_again_and_loses_nothing),
		cmocka_unit_test(a_little_work_of_the_host_gives_and_takes_no_cores),
		cmocka_unit_test(it_floats_over_what_is_left_when_a_cpu_of_a_core_goes),
		cmocka_unit_test(a_newcomer_finds_it_floating),
		cmocka_unit_test(it_does_not_flap_when_others_come_and_go),
		cmocka_unit_test(cores_keep_nobody_from_his_memory),
		cmocka_unit_test(the_reasons_compare_cores_with_floating),
		cmocka_unit_test(
			each_round_is_better_than_the_last_until_nothing_moves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
