// SPDX-License-Identifier: MIT
/*
 * Reasons of random fleets: asking for them changes no plan and no other reasons, what
 * would be better is chosen when it is free, and the answer comes soon.
 */
#include "config.h"

#include "place/reason.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "asked.h"
#include "base/str.h"
#include "cases.h"

static const enum place_mode modes[] = {PLACE_AUTO, PLACE_AUTO, PLACE_AUTO, PLACE_FLOAT,
	PLACE_OBSERVE, PLACE_PIN, PLACE_CORE, PLACE_DEDICATED};

/* Of guests with two nodes, not bound to any of the host. */
static const struct plan_guest_node guest_nodes[2];
static const uint16_t guest_node_of[32] = {0, 1, 0, 1, 1, 0, 0, 1, 1, 1, 1, 1, 0, 0};

static void
add_random(struct fleet *f, uint64_t *seed, const enum place_mode *of, unsigned int n)
{
	struct fleet_vm *vm;

	vm = fleet_add_id(
		f, 100 + f->n, of[fleet_below(seed, n)], fleet_random_size(seed));
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
	for (unsigned int k = 0; k < cases_of(200); k++) {
		struct host h = host_full(k % 2 == 0 ? &host_9354 : &host_7351p);
		struct fleet *f = random_fleet(&h, &seed, modes, ARRAY_LEN(modes));
		struct asked none = asked_of(f, PLAN_EXPLAIN_NONE, NULL);
		struct asked all = asked_of(f, PLAN_EXPLAIN_ALL, NULL);

		for (unsigned int i = 0; i < f->n; i++) {
			const struct plan_result *r = &all.plan->results[i];

			if (!same_result(&none.plan->results[i], r))
				fail_msg("fleet %u, vm %s", k, f->vms[i].id);
			assert_null(none.plan->results[i].explain);
			if (r->verdict == PLAN_LEAVE)
				continue;
			asked_expect_sane(&all, i);
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
	for (unsigned int k = 0; k < cases_of(60); k++) {
		struct host h = host_full(k % 2 == 0 ? &host_9354 : &host_7351p);
		struct fleet *f = random_fleet(&h, &seed, modes, ARRAY_LEN(modes));
		struct asked all;

		for (unsigned int n = 0; n < ARRAY_LEN(free_gib); n++)
			free_gib[n] = 0.1 * fleet_below(&seed, 300);
		f->node_free_gib = free_gib;
		all = asked_of(f, PLAN_EXPLAIN_ALL, NULL);
		for (unsigned int i = 0; i < f->n; i++) {
			struct asked one = asked_of(f, PLAN_EXPLAIN_ALL, f->vms[i].id);
			const struct explain *x = all.plan->results[i].explain;
			const struct explain *y = one.plan->results[i].explain;

			assert_true(same_option(&x->chosen, &y->chosen));
			assert_true(same_option(&x->runner_up, &y->runner_up));
			assert_true(same_option(&x->better, &y->better));
			assert_int_equal(x->rules, y->rules);
			assert_int_equal(x->hold, y->hold);
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
	a = asked_of(f, PLAN_EXPLAIN_NEW, f->vms[vm].id);
	*where = a.plan->results[vm].domain;
	total = a.plan->results[vm].explain->chosen.total_ns;
	asked_fini(&a);
	return total;
}

/*
 * As free as is said to be needed, the better place costs less than what the VM had,
 * and as a rule it is chosen: not when with those VMs something has become free that is
 * as good, or when another place is better for all together. Returns 1 when it is
 * chosen, 0 when it is not, -1: nothing is said.
 */
static int
try_better(struct fleet *f, unsigned int vm)
{
	struct asked a = asked_of(f, PLAN_EXPLAIN_ALL, f->vms[vm].id);
	const struct explain *e = a.plan->results[vm].explain;
	struct cpuset better = e->better.cpus;
	double load = cpuset_count(&better) - e->better_free_cpus;
	double had = e->chosen.total_ns;
	bool has = e->has_better;
	struct cpuset where;
	double there;

	asked_fini(&a);
	if (!has)
		return -1;
	make_room(f, &vm, &better, load);
	(void)pays(f, vm, &where);
	if (cpuset_equal(&where, &better))
		return 1;
	f->vms[vm].in.limit = better;
	there = pays(f, vm, &better);
	if (there >= had)
		fail_msg("had %f ns, would have %f ns there", had, there);
	return 0;
}

static void
what_would_be_better_is_chosen_when_it_is_free(void **state)
{
	static const enum place_mode mode = PLACE_AUTO;
	unsigned int said = 0;
	unsigned int chosen = 0;

	(void)state;
	for (unsigned int k = 0; k < 150; k++) {
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
	assert_true(said >= 30);
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
		struct asked a = asked_of(f, of, id);
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
		cmocka_unit_test(asking_changes_no_plan),
		cmocka_unit_test(reasons_do_not_depend_on_who_else_is_asked_for),
		cmocka_unit_test(what_would_be_better_is_chosen_when_it_is_free),
		cmocka_unit_test(reasons_cost_little),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
