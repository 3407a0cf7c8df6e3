// SPDX-License-Identifier: MIT
/* The account of rebalance: what is saved, kept and taken. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>

#include "expect.h"
#include "place/allowance.h"

static void
check(struct allowance *a, double now_s, double vms_per_min, double vcpus_per_min,
	unsigned int vms, unsigned int vcpus)
{
	struct plan_policy p = {0};

	allowance_give(a, now_s, vms_per_min, vcpus_per_min, &p);
	if (p.rebalance_vms != vms || p.rebalance_vcpus != vcpus)
		fail_msg("at %g s: %u VMs and %u vCPUs, wanted %u and %u", now_s,
			p.rebalance_vms, p.rebalance_vcpus, vms, vcpus);
}

static void
the_first_call_only_starts_the_clock(void **state)
{
	struct allowance a = allowance_new();

	(void)state;
	check(&a, 1e9, 2, 10, 0, 0);
	check(&a, 1e9 + 60, 2, 10, 2, 10);
}

static void
credit_grows_with_time_up_to_ten_minutes_worth(void **state)
{
	struct allowance a = allowance_new();

	(void)state;
	check(&a, 0, 2, 10, 0, 0);
	check(&a, 29, 2, 10, 0, 4);
	check(&a, 90, 2, 10, 3, 15);
	check(&a, 600, 2, 10, 20, 100);
	check(&a, 6000, 2, 10, 20, 100);
}

static void
low_rates_save_one_vm_and_a_small_ones_vcpus(void **state)
{
	struct allowance a = allowance_new();

	(void)state;
	check(&a, 0, 0.01, 0.01, 0, 0);
	check(&a, 5999, 0.01, 0.01, 0, 0);
	check(&a, 6000, 0.01, 0.01, 1, 1);
	check(&a, 60000, 0.01, 0.01, 1, 4);
}

static void
parts_of_a_vm_add_up(void **state)
{
	struct allowance a = allowance_new();

	(void)state;
	check(&a, 0, 0.1, 0.1, 0, 0);
	for (unsigned int i = 1; i < 10; i++)
		check(&a, 60 * i, 0.1, 0.1, 0, 0);
	check(&a, 600, 0.1, 0.1, 1, 1);
}

static void
a_rate_of_nothing_saves_nothing(void **state)
{
	static const double none[] = {0, -1, NAN, -INFINITY};

	(void)state;
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		struct allowance a = allowance_new();

		check(&a, 0, none[i], 10, 0, 0);
		check(&a, 60, none[i], 10, 0, 10);
		check(&a, 120, 2, none[i], 2, 0);
		check(&a, 180, none[i], 10, 0, 10);
	}
}

static void
rates_without_end_are_only_large(void **state)
{
	struct allowance a = allowance_new();
	struct plan_policy p = {0};

	(void)state;
	allowance_give(&a, 0, INFINITY, INFINITY, &p);
	assert_int_equal(p.rebalance_vms, 0);
	allowance_give(&a, 1e300, INFINITY, 1e300, &p);
	assert_true(p.rebalance_vms > PLAN_VMS_MAX);
	assert_true(p.rebalance_vcpus > PLAN_VMS_MAX);
}

static void
a_clock_that_goes_back_saves_nothing_twice(void **state)
{
	struct allowance a = allowance_new();

	(void)state;
	check(&a, 1000, 1, 1, 0, 0);
	check(&a, 1060, 1, 1, 1, 1);
	for (unsigned int i = 0; i < 5; i++) {
		check(&a, 0, 1, 1, 1, 1);
		check(&a, 1060, 1, 1, 1, 1);
	}
	check(&a, NAN, 1, 1, 1, 1);
	check(&a, 1120, 1, 1, 2, 2);
}

/* A VM that moves from its first two masks to others. */
#define SIZES_MAX 64u

struct moving {
	struct topo topo;
	struct plan_input in;
	struct plan_vm vm;
	struct plan plan;
	struct plan_result result;
	struct cpuset old[SIZES_MAX];
	struct cpuset new[SIZES_MAX];
};

static void
set_up(struct moving *m, unsigned int n_vcpus)
{
	*m = (struct moving){.topo.online = cpuset_below(64)};
	for (unsigned int v = 0; v < n_vcpus; v++) {
		m->old[v] = cpus("0-7");
		m->new[v] = cpus("8-15");
	}
	m->vm = (struct plan_vm){.n_vcpus = n_vcpus,
		.n_current = n_vcpus,
		.current = m->old,
		.placed = true};
	m->result = (struct plan_result){.verdict = PLAN_PLACE,
		.apply = true,
		.rebalanced = true,
		.n_vcpus = n_vcpus,
		.vcpus = m->new};
	m->in = (struct plan_input){.topo = &m->topo, .n_vms = 1, .vms = &m->vm};
	m->plan = (struct plan){.n = 1, .results = &m->result};
}

static void
what_was_rebalanced_is_taken(void **state)
{
	struct allowance a = allowance_new();
	struct moving m;

	(void)state;
	set_up(&m, 4);
	check(&a, 0, 2, 10, 0, 0);
	check(&a, 120, 2, 10, 4, 20);
	m.new[3] = cpus("0-15"); /* wider: not moved */
	allowance_take(&a, &m.in, &m.plan);
	check(&a, 120, 2, 10, 3, 17);
	m.result.rebalanced = false;
	allowance_take(&a, &m.in, &m.plan);
	check(&a, 120, 2, 10, 3, 17);
	m.result.rebalanced = true;
	m.result.apply = false;
	allowance_take(&a, &m.in, &m.plan);
	check(&a, 120, 2, 10, 3, 17);
}

static void
a_large_vm_can_be_saved_for(void **state)
{
	struct allowance a = allowance_new();
	struct moving m;

	(void)state;
	set_up(&m, 64);
	m.result.rebalanced = false;
	check(&a, 0, 2, 1, 0, 0);
	allowance_take(&a, &m.in, &m.plan);
	check(&a, 60 * 40, 2, 1, 20, 40);
	check(&a, 60 * 90, 2, 1, 20, 64);
	m.result.rebalanced = true;
	allowance_take(&a, &m.in, &m.plan);
	check(&a, 60 * 90, 2, 1, 19, 0);
	set_up(&m, 4); /* the large one is gone */
	m.result.rebalanced = false;
	check(&a, 60 * 150, 2, 1, 20, 60);
	allowance_take(&a, &m.in, &m.plan);
	check(&a, 60 * 150, 2, 1, 20, 10);
}

static void
what_was_too_much_is_paid_back(void **state)
{
	struct allowance a = allowance_new();
	struct moving m;

	(void)state;
	set_up(&m, 8);
	check(&a, 0, 1, 1, 0, 0);
	allowance_take(&a, &m.in, &m.plan);
	check(&a, 60 * 8, 1, 1, 7, 0);
	check(&a, 60 * 10, 0, 0, 0, 0);
	check(&a, 60 * 12, 1, 1, 2, 2);
}

/* Taking all there is at random times, and more by one VM at the end. */
static void
never_more_than_the_rates_in_the_long_run(void **state)
{
	struct allowance a = allowance_new();
	struct plan_policy p = {0};
	uint32_t random = 1;
	double now_s = 0;
	double vcpus = 0;
	double vms = 0;
	struct moving m;

	(void)state;
	allowance_give(&a, now_s, 0.3, 1.7, &p);
	for (unsigned int i = 0; i < 20000; i++) {
		random = random * 1664525u + 1013904223u;
		now_s += random >> 24;
		allowance_give(&a, now_s, 0.3, 1.7, &p);
		if (p.rebalance_vms == 0 || p.rebalance_vcpus == 0)
			continue;
		set_up(&m, p.rebalance_vcpus < 8 ? p.rebalance_vcpus : 8);
		allowance_take(&a, &m.in, &m.plan);
		vms += 1;
		vcpus += m.vm.n_vcpus;
		assert_true(vms <= now_s / 60 * 0.3 + 1e-3);
		assert_true(vcpus <= now_s / 60 * 1.7 + 1e-3);
	}
	assert_true(vms > 0.9 * now_s / 60 * 0.3 || vcpus > 0.9 * now_s / 60 * 1.7);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_call_only_starts_the_clock),
		cmocka_unit_test(credit_grows_with_time_up_to_ten_minutes_worth),
		cmocka_unit_test(low_rates_save_one_vm_and_a_small_ones_vcpus),
		cmocka_unit_test(parts_of_a_vm_add_up),
		cmocka_unit_test(a_rate_of_nothing_saves_nothing),
		cmocka_unit_test(rates_without_end_are_only_large),
		cmocka_unit_test(a_clock_that_goes_back_saves_nothing_twice),
		cmocka_unit_test(what_was_rebalanced_is_taken),
		cmocka_unit_test(a_large_vm_can_be_saved_for),
		cmocka_unit_test(what_was_too_much_is_paid_back),
		cmocka_unit_test(never_more_than_the_rates_in_the_long_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
