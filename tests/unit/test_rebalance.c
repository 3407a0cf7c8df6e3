// SPDX-License-Identifier: MIT
/* Who is moved for a gain, when, and how that comes to rest. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "asked.h"
#include "base/xalloc.h"
#include "cases.h"
#include "expect.h"
#include "fleet.h"
#include "place/score.h"

#define PLENTY 100000u

static void
may_move(struct fleet *f, unsigned int vms, unsigned int vcpus)
{
	f->policy.rebalance = true;
	f->policy.rebalance_vms = vms;
	f->policy.rebalance_vcpus = vcpus;
}

/* A VM that has been on @mask for ever, with its memory on @node. */
static struct fleet_vm *
add_placed(struct fleet *f, const char *id, unsigned int n_vcpus, const char *mask,
	unsigned int node)
{
	struct fleet_vm *vm = fleet_add(f, id, PLACE_AUTO, n_vcpus);

	vm->masks = xcalloc(n_vcpus, sizeof(*vm->masks));
	for (unsigned int v = 0; v < n_vcpus; v++)
		vm->masks[v] = cpus(mask);
	vm->in.n_current = n_vcpus;
	vm->in.placed = true;
	vm->in.changed_s = PLAN_NEVER_S;
	vm->memory[node] = 1;
	vm->started = true;
	return vm;
}

/* Three VMs on node 0 with their memory on node 2, and nobody else. */
static struct fleet *
far_from_memory(const struct host *h)
{
	struct fleet *f = fleet_new(h);

	add_placed(f, "100", 2, "0-3,32-35", 2);
	add_placed(f, "101", 4, "4-7,36-39", 2);
	add_placed(f, "102", 8, "0-7,32-39", 2);
	return f;
}

struct moved {
	unsigned int vms;
	unsigned int vcpus;
};

static struct moved
moved_by(const struct plan *p)
{
	struct moved m = {0};

	for (unsigned int i = 0; i < p->n; i++) {
		if (!p->results[i].rebalanced)
			continue;
		m.vms++;
		m.vcpus += p->results[i].n_vcpus;
	}
	return m;
}

static void
a_vm_goes_to_its_memory_and_says_what_it_gains(void **state)
{
	struct host h = host_full(&host_9354);
	struct fleet *f = fleet_new(&h);
	struct cpuset node = cpus("16-23,48-55");
	struct plan *p;

	(void)state;
	add_placed(f, "100", 4, "0-3,32-35", 2);
	may_move(f, 1, 4);
	p = fleet_plan(f);
	assert_true(p->results[0].rebalanced);
	assert_int_equal(p->results[0].verdict, PLAN_PLACE);
	assert_true(cpuset_within(&p->results[0].domain, &node));
	if (strstr(p->results[0].why, "moved from L3 group 0 of node 0") == NULL ||
		strstr(p->results[0].why, "memory") == NULL)
		fail_msg("%s", p->results[0].why);
	plan_free(p);
	fleet_free(f);
	host_fini(&h);
}

static void
nobody_is_moved_when_it_is_off_or_nothing_is_left_of_the_allowance(void **state)
{
	struct host h = host_full(&host_9354);
	struct fleet *f = far_from_memory(&h);

	(void)state;
	for (unsigned int i = 0; i < 3; i++) {
		struct plan *p;

		may_move(f, i == 1 ? 0 : PLENTY, i == 2 ? 0 : PLENTY);
		f->policy.rebalance = i != 0;
		p = fleet_plan(f);
		assert_int_equal(moved_by(p).vms, 0);
		for (unsigned int k = 0; k < p->n; k++)
			assert_int_equal(p->results[k].verdict, PLAN_KEEP);
		plan_free(p);
	}
	fleet_free(f);
	host_fini(&h);
}

static void
no_more_vms_and_vcpus_are_moved_than_allowed(void **state)
{
	static const struct {
		unsigned int vms;
		unsigned int vcpus;
		struct moved wanted;
	} cases[] = {
		{PLENTY, PLENTY, {3, 14}},
		{2, PLENTY, {2, 0}},
		{1, PLENTY, {1, 0}},
		{PLENTY, 13, {2, 0}},
		{PLENTY, 6, {2, 6}},
		{PLENTY, 2, {1, 2}},
		{PLENTY, 1, {0, 0}},
	};
	struct host h = host_full(&host_9354);
	struct fleet *f = far_from_memory(&h);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct plan *p;
		struct moved m;

		may_move(f, cases[i].vms, cases[i].vcpus);
		p = fleet_plan(f);
		m = moved_by(p);
		if (m.vms != cases[i].wanted.vms || m.vcpus > cases[i].vcpus ||
			(cases[i].wanted.vcpus > 0 && m.vcpus != cases[i].wanted.vcpus))
			fail_msg("case %zu: %u VMs, %u vCPUs", i, m.vms, m.vcpus);
		plan_free(p);
	}
	fleet_free(f);
	host_fini(&h);
}

static void
a_vm_rests_after_a_change_of_its_place(void **state)
{
	struct host h = host_full(&host_9354);
	struct fleet *f = far_from_memory(&h);
	struct plan *p;

	(void)state;
	f->policy.now_s = 1000;
	f->policy.rebalance_dwell_s = 300;
	f->vms[0].in.changed_s = 700;
	f->vms[1].in.changed_s = 701;
	f->vms[2].in.changed_s = 1000;
	may_move(f, PLENTY, PLENTY);
	p = fleet_plan(f);
	assert_true(p->results[0].rebalanced);
	assert_int_equal(moved_by(p).vms, 1);
	plan_free(p);
	fleet_free(f);
	host_fini(&h);
}

/* Three fifths of its memory are on another node: moving gains about a quarter. */
static void
a_gain_below_the_percentage_moves_nobody(void **state)
{
	static const struct {
		double pct;
		bool moves;
	} cases[] = {{0, true}, {10, true}, {50, false}, {1000, false}};
	struct host h = host_full(&host_9354);
	struct fleet *f = fleet_new(&h);
	struct fleet_vm *vm = add_placed(f, "100", 4, "0-3,32-35", 2);

	(void)state;
	vm->memory[0] = 0.4;
	vm->memory[2] = 0.6;
	may_move(f, PLENTY, PLENTY);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct plan *p;

		f->policy.rebalance_gain_pct = cases[i].pct;
		p = fleet_plan(f);
		if (p->results[0].rebalanced != cases[i].moves)
			fail_msg("%g %%: %s", cases[i].pct, p->results[0].why);
		plan_free(p);
	}
	fleet_free(f);
	host_fini(&h);
}

static void
those_who_have_a_say_of_their_own_are_not_moved(void **state)
{
	static const enum place_mode modes[] = {
		PLACE_PIN, PLACE_OBSERVE, PLACE_OFF, PLACE_DEDICATED, PLACE_CORE};
	struct host h = host_full(&host_9354);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		struct fleet *f = fleet_new(&h);
		struct fleet_vm *vm = fleet_add(f, "100", modes[i], 2);
		struct plan *p;

		fleet_step(f);
		memset(vm->memory, 0, sizeof(vm->memory));
		vm->memory[3] = 1;
		vm->started = true;
		f->policy.now_s = 1e6;
		may_move(f, PLENTY, PLENTY);
		p = fleet_plan(f);
		if (moved_by(p).vms != 0)
			fail_msg(
				"%s: %s", place_mode_name(modes[i]), p->results[0].why);
		plan_free(p);
		fleet_free(f);
	}
	host_fini(&h);
}

static void
a_vm_that_was_widened_is_narrowed_when_the_others_have_gone(void **state)
{
	struct host h = host_full(&host_9354);
	struct fleet *f = fleet_new(&h);
	struct plan *p;

	(void)state;
	add_placed(f, "100", 4, "0-63", 0);
	may_move(f, 1, 4);
	p = fleet_plan(f);
	assert_true(p->results[0].rebalanced);
	assert_int_equal(cpuset_count(&p->results[0].domain), 8);
	assert_true(cpuset_has(
		&h.topo->nodes[0].cpus, cpuset_next(&p->results[0].domain, 0)));
	plan_free(p);
	fleet_free(f);
	host_fini(&h);
}

/* Two L3 groups of two nodes: no domain of this host, but it may have been one. */
static void
who_keeps_an_earlier_domain_is_not_moved_and_that_is_said(void **state)
{
	struct host h = host_full(&host_9354);
	struct fleet *f = fleet_new(&h);
	const struct explain *e;
	struct asked a;
	char text[256];

	(void)state;
	add_placed(f, "100", 4, "4-11,36-43", 2);
	may_move(f, PLENTY, PLENTY);
	for (unsigned int i = 0; i < 2; i++) {
		a = asked_of(f, PLAN_EXPLAIN_ALL, NULL);
		e = a.plan->results[0].explain;
		assert_int_equal(moved_by(a.plan).vms, 0);
		assert_false(e->has_better);
		if (i == 0) { /* memory on the host's other half: a part is as far */
			assert_int_equal(e->hold, EXPLAIN_APART);
			expect_text(explain_verdict_text(
					    e, &e->runner_up, text, sizeof(text)),
				"; but it keeps what was a domain before latencies "
				"were measured anew");
		} else { /* its parts are too small for it */
			assert_false(e->has_runner_up);
			assert_int_equal(e->rules, BIT(EARLIER));
			expect_text(explain_rule_text(&a.in, &a.in.vms[0], e,
					    EXPLAIN_EARLIER, text, sizeof(text)),
				"is not compared with other places");
		}
		asked_fini(&a);
		fleet_remove(f, 0);
		add_placed(f, "100", 16, "4-11,36-43", 2);
	}
	fleet_free(f);
	host_fini(&h);
}

/* The L3 group beside its memory is another VM's, which has no other: together they
 * would wait. */
static void
a_gain_that_makes_vms_wait_is_left(void **state)
{
	struct host h = host_full(&host_9354);
	struct fleet *f = fleet_new(&h);
	struct plan *p;

	(void)state;
	add_placed(f, "100", 8, "0-3,32-35", 0)->in.limit = cpus("0-3,32-35");
	add_placed(f, "200", 8, "16-19,48-51", 0)->in.limit =
		cpus("0-3,16-19,32-35,48-51");
	may_move(f, PLENTY, PLENTY);
	p = fleet_plan(f);
	if (moved_by(p).vms != 0)
		fail_msg("%s", p->results[1].why);
	plan_free(p);
	fleet_remove(f, 0);
	p = fleet_plan(f);
	assert_int_equal(moved_by(p).vms, 1);
	plan_free(p);
	fleet_free(f);
	host_fini(&h);
}

/* Start about @percent of the CPUs' worth of VMs one after the other, some with memory
 * somewhere, and stop every third of them. */
static struct fleet *
random_fleet(const struct host *h, uint64_t *rnd, unsigned int percent)
{
	struct fleet *f = fleet_new(h);

	while (fleet_vcpus(f) * 100 < percent * h->topo->n_pus) {
		struct fleet_vm *vm;

		vm = fleet_add_id(f, 100 + f->n, PLACE_AUTO, fleet_random_size(rnd));
		if (h->topo->n_nodes > 0 && fleet_below(rnd, 4) == 0) {
			vm->memory[fleet_below(rnd, h->topo->n_nodes)] = 1;
			vm->started = true;
		}
		fleet_step(f);
	}
	for (unsigned int i = f->n; i-- > 1;) {
		if (fleet_below(rnd, 3) == 0)
			fleet_remove(f, i);
	}
	return f;
}

/* Where nothing moves any more nobody is promised that it will be. Returns how many are
 * told that VMs would wait. */
static unsigned int
expect_no_promise(struct fleet *f, uint64_t seed)
{
	unsigned int crowded = 0;
	struct asked a;

	may_move(f, 0, 0);
	a = asked_of(f, PLAN_EXPLAIN_ALL, NULL);
	for (unsigned int i = 0; i < f->n; i++) {
		const struct explain *e = a.plan->results[i].explain;
		char text[256];

		if (!e->has_runner_up || e->runner_up.verdict != EXPLAIN_STAYS)
			continue;
		crowded += e->hold == EXPLAIN_CROWDED;
		if (e->hold == EXPLAIN_FREE)
			fail_msg("seed %u: vm %s %s", (unsigned int)seed, f->vms[i].id,
				explain_verdict_text(
					e, &e->runner_up, text, sizeof(text)));
	}
	asked_fini(&a);
	return crowded;
}

/* Plans with an allowance without end, until nothing moves. Returns as
 * expect_no_promise. */
static unsigned int
expect_rest(const struct host *h, uint64_t seed)
{
	uint64_t rnd = seed * 7919 + 1;
	struct fleet *f = random_fleet(h, &rnd, 60 + fleet_below(&rnd, 300));
	struct score before = fleet_score(f);
	unsigned int rounds = 0;
	unsigned int crowded;

	may_move(f, PLENTY, PLENTY);
	f->policy.rebalance_dwell_s = 0;
	for (struct moved m = {.vms = 1}; m.vms > 0; rounds++) {
		struct plan *p = fleet_plan(f);
		struct score now;

		m = moved_by(p);
		fleet_apply(f, p);
		plan_free(p);
		now = fleet_score(f);
		if (m.vms > 0 && now.total_ns >= before.total_ns)
			fail_msg("seed %u: %g ns, then %g", (unsigned int)seed,
				before.total_ns, now.total_ns);
		if (m.vms == 0 && now.total_ns > before.total_ns + 1e-6)
			fail_msg("seed %u: worse though nobody moved",
				(unsigned int)seed);
		if (before.waits_ok && !now.waits_ok)
			fail_msg("seed %u: they wait", (unsigned int)seed);
		if (rounds > 200)
			fail_msg("seed %u: does not end", (unsigned int)seed);
		before = now;
	}
	crowded = expect_no_promise(f, seed);
	fleet_free(f);
	return crowded;
}

static void
each_round_is_better_than_the_last_until_nothing_moves(void **state)
{
	static const struct host_spec *const specs[] = {&host_9354, &host_7351p,
		&host_xeon_2s, &host_snc, &host_hybrid, &host_flat2};
	unsigned int crowded = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(specs); i++) {
		struct host h = host_full(specs[i]);

		for (uint64_t seed = 1; seed <= cases_of(12); seed++)
			crowded += expect_rest(&h, seed);
		host_fini(&h);
	}
	assert_int_not_equal(crowded, 0);
}

struct day {
	double j;
	double wait;
	double bad;
	double moved; /* vCPUs for each event */
};

/* Starts and stops; each is an event that saves @credit vCPUs' worth of moves. */
struct run {
	struct fleet *f;
	double credit;
	double saved;
	double moved;
	unsigned int events;
	unsigned int next;
};

static void
event(struct run *r)
{
	struct plan *p;

	r->saved += r->credit;
	r->f->policy.now_s += 60;
	may_move(r->f, PLENTY, (unsigned int)r->saved);
	p = fleet_plan(r->f);
	r->moved += moved_by(p).vcpus;
	r->saved -= moved_by(p).vcpus;
	r->events++;
	fleet_apply(r->f, p);
	plan_free(p);
}

static void
churn(struct run *r, uint64_t *rnd, unsigned int vcpus)
{
	while (r->f->n > 1 && fleet_vcpus(r->f) > vcpus + 8) {
		fleet_remove(r->f, fleet_below(rnd, r->f->n));
		event(r);
	}
	while (fleet_vcpus(r->f) < vcpus) {
		char id[16];

		(void)snprintf(id, sizeof(id), "%u", r->next++);
		fleet_add(r->f, id, PLACE_AUTO, fleet_random_size(rnd));
		event(r);
	}
}

static struct day
live(const struct host *h, unsigned int low, unsigned int high, double credit)
{
	const unsigned int runs = 8;
	const unsigned int steps = 25;
	struct day d = {0};

	for (unsigned int i = 0; i < runs; i++) {
		struct run r = {.f = fleet_new(h), .credit = credit, .next = 1000 * i};
		uint64_t rnd = i * 31 + 5;

		for (unsigned int step = 0; step < steps; step++) {
			struct judge j;

			churn(&r, &rnd,
				(low + fleet_below(&rnd, high - low)) * h->topo->n_pus /
					100);
			j = fleet_judge(r.f, i * 100 + step + 777, 4);
			d.j += j.j / (runs * steps);
			d.wait += j.wait / (runs * steps);
			d.bad += j.bad / (runs * steps);
		}
		d.moved += r.moved / r.events / runs;
		fleet_free(r.f);
	}
	return d;
}

static void
one_vcpu_moved_for_each_event_pays_in_the_eyes_of_another_judge(void **state)
{
	static const struct host_spec *const specs[] = {
		&host_9354, &host_7351p, &host_xeon_2s};
	unsigned long n = cases_of_all(2 * ARRAY_LEN(specs));
	double sum = 0;

	(void)state;
	for (unsigned int i = 0; i < n; i++) {
		struct host h = host_full(specs[i / 2]);
		unsigned int low = i % 2 == 0 ? 40 : 200;
		unsigned int high = i % 2 == 0 ? 150 : 350;
		struct day off = live(&h, low, high, 0);
		struct day on = live(&h, low, high, 1);

		print_message("%s, load %u-%u %%: J %.3f -> %.3f (%.1f %%), %.2f "
			      "moved, wait %.4f, draws above 5 %%: %.3f -> %.3f\n",
			specs[i / 2]->name, low, high, off.j, on.j,
			100 * (on.j / off.j - 1), on.moved, on.wait, off.bad, on.bad);
		sum += on.j / off.j / (double)n;
		assert_true(off.moved == 0);
		assert_true(on.moved <= 1);
		assert_true(on.j < off.j * 0.995);
		assert_true(on.wait <= 0.01);
		assert_true(on.bad <= 0.05);
		host_fini(&h);
	}
	assert_true(sum <= 0.975);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_vm_goes_to_its_memory_and_says_what_it_gains),
		cmocka_unit_test(
			nobody_is_moved_when_it_is_off_or_nothing_is_left_of_the_allowance),
		cmocka_unit_test(no_more_vms_and_vcpus_are_moved_than_allowed),
		cmocka_unit_test(a_vm_rests_after_a_change_of_its_place),
		cmocka_unit_test(a_gain_below_the_percentage_moves_nobody),
		cmocka_unit_test(those_who_have_a_say_of_their_own_are_not_moved),
		cmocka_unit_test(
			a_vm_that_was_widened_is_narrowed_when_the_others_have_gone),
		cmocka_unit_test(
			who_keeps_an_earlier_domain_is_not_moved_and_that_is_said),
		cmocka_unit_test(a_gain_that_makes_vms_wait_is_left),
		cmocka_unit_test(
			each_round_is_better_than_the_last_until_nothing_moves),
		cmocka_unit_test(
			one_vcpu_moved_for_each_event_pays_in_the_eyes_of_another_judge),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
