// SPDX-License-Identifier: MIT
/* The judge of the placement benchmark on cases worked out by hand. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "bench_fixture.h"
#include "pour.h"

/* A VM whose k-th vCPU may use the k-th list; all threads of the VM when there is one.
 */
static struct site_vm *
add(struct fixture *f, const char *id, unsigned int n_vcpus, const char *const *lists)
{
	struct site_vm *vm = site_add(&f->run.site, id, n_vcpus);
	struct cpuset first = cpus(lists[0]);

	vm->start = &f->starts[f->n++];
	vm->memory_gib = 1;
	site_give(&f->run.site, vm, &first);
	for (unsigned int v = 1; v < n_vcpus && lists[1] != NULL; v++)
		vm->masks[v] = cpus(lists[v]);
	return vm;
}

#define LISTS(...)                      \
	(const char *const[])           \
	{                               \
		__VA_ARGS__, NULL, NULL \
	}

static double
judged(struct fixture *f, enum measure m)
{
	return judge_site(&f->run.site, 1).of[m];
}

static void
latency_is_that_of_the_pairs(void **state)
{
	static const struct {
		const char *a;
		const char *b;
		double ns;
	} cases[] = {
		{"0", "4", 9}, {"0", "1", 25}, {"0", "2", 120},
		{"0", "0", 120}, /* one CPU: the worst of the host */
		{"0", "0,4", 9}, /* there is another way */
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		print_message("case %zu\n", i);
		add(f, "1", 2, LISTS(cases[i].a, cases[i].b));
		near(judged(f, MEASURE_LAT), cases[i].ns);
		site_remove(&f->run.site, f->run.site.vms);
		f->n = 0;
	}
}

static void
latency_counts_by_vcpus_and_spreads_over_masks(void **state)
{
	struct fixture *f = *state;

	add(f, "1", 2, LISTS("0", "4"));
	add(f, "2", 1, LISTS("2"));
	near(judged(f, MEASURE_LAT), 9 * 2 / 3.0);
	add(f, "3", 2, LISTS("2-3,6-7"));
	/* CPU 2 is full: the VM is on 3, 6 and 7 (25, 9 and 25 apart) */
	near(judged(f, MEASURE_LAT), (9 * 2 + (25 + 9 + 25) / 3.0 * 2) / 5);
	near(judged(f, MEASURE_LOST), 0);
}

static void
more_vcpus_than_cpus_double_up(void **state)
{
	struct fixture *f = *state;

	/* 4 on 2: of 6 pairs 2 are on one CPU */
	add(f, "1", 4, LISTS("0,4"));
	near(judged(f, MEASURE_LAT), (2 * 120 + 4 * 9) / 6.0);
}

static void
memory_is_where_the_vcpus_were_at_first(void **state)
{
	struct fixture *f = *state;
	struct site_vm *vm = add(f, "1", 1, LISTS("0"));
	struct cpuset other = cpus("2");
	struct cpuset both = cpus("0,2");

	near(judged(f, MEASURE_REMOTE), 0);
	site_give(&f->run.site, vm, &other);
	near(judged(f, MEASURE_REMOTE), 1);
	site_give(&f->run.site, vm, &both);
	near(judged(f, MEASURE_REMOTE), 0.5);
}

static void
guest_nodes_use_their_own_memory_most(void **state)
{
	struct fixture *f = *state;
	struct cpuset nodes[2] = {cpuset_of(0), cpuset_of(1)};
	struct site_vm *vm = add(f, "1", 2, LISTS("0", "2"));

	vm->n_nodes = 2;
	vm->node_vcpus = nodes;
	near(judged(f, MEASURE_REMOTE), 0.2);
	vm->masks[1] = cpus("1"); /* the second one leaves its memory */
	near(judged(f, MEASURE_REMOTE), (0.2 + 0.8) / 2);
}

static void
demand_is_lost_where_cpus_idle_elsewhere(void **state)
{
	struct fixture *f = *state;

	add(f, "1", 1, LISTS("0"));
	add(f, "2", 1, LISTS("0"));
	near(judged(f, MEASURE_LOST), 0.5);
	near(judged(f, MEASURE_IMB), 2);
	add(f, "3", 2, LISTS("0,4"));
	/* 4 vCPUs on 2 CPUs; the core has all of them */
	near(judged(f, MEASURE_LOST), 0.5);
	near(judged(f, MEASURE_IMB), 4);
}

static void
what_the_host_lacks_is_not_lost(void **state)
{
	struct fixture *f = *state;

	add(f, "1", 10, LISTS("0-7"));
	near(judged(f, MEASURE_LOST), 0);
	near(judged(f, MEASURE_IMB), 1);
	near(judged(f, MEASURE_SMT), 1);
}

static void
sharing_a_core_tells_own_from_others(void **state)
{
	struct fixture *f = *state;

	add(f, "1", 2, LISTS("0", "4"));
	near(judged(f, MEASURE_SMT), 1);
	near(judged(f, MEASURE_SMT_X), 0);
	add(f, "2", 1, LISTS("1"));
	add(f, "3", 1, LISTS("5"));
	near(judged(f, MEASURE_SMT), 1);
	near(judged(f, MEASURE_SMT_X), 0.5);
	add(f, "4", 2, LISTS("2-3,6-7"));
	/* two on the two cores of a node have one each */
	near(judged(f, MEASURE_SMT), 4 / 6.0);
}

static void
vms_that_share_a_domain_meet_by_chance(void **state)
{
	struct fixture *f = *state;

	add(f, "1", 2, LISTS("0-1,4-5"));
	add(f, "2", 2, LISTS("0-1,4-5"));
	near(judged(f, MEASURE_SMT), 1);
	/* of the three others two are of the other VM */
	near(judged(f, MEASURE_SMT_X), 2 / 3.0);
}

static void
second_threads_are_used_when_no_core_is_idle(void **state)
{
	struct fixture *f = *state;

	add(f, "1", 1, LISTS("0-1,4-5"));
	add(f, "2", 1, LISTS("0-1,4-5"));
	near(judged(f, MEASURE_SMT), 0);
	add(f, "3", 1, LISTS("0-1,4-5"));
	/* two of three are on one core */
	near(judged(f, MEASURE_SMT), 2 / 3.0);
	near(judged(f, MEASURE_SMT_X), 2 / 3.0);
}

static void
split_is_more_nodes_than_needed(void **state)
{
	struct fixture *f = *state;

	add(f, "1", 4, LISTS("0-1,4-5"));
	near(judged(f, MEASURE_SPLIT), 0);
	add(f, "2", 4, LISTS("0-7"));
	near(judged(f, MEASURE_SPLIT), 0.5);
	add(f, "3", 5, LISTS("0-7"));
	near(judged(f, MEASURE_SPLIT), 1 / 3.0);
	near(judged(f, MEASURE_WIDTH), (4 * 0.5 + 4 + 5) / 13);
}

static void
emulators_are_disturbed_by_vcpus(void **state)
{
	struct fixture *f = *state;
	struct site_vm *vm = add(f, "1", 1, LISTS("0"));

	vm->emulator = cpus("0-1");
	near(judged(f, MEASURE_EMU), 0.5);
}

static void
j_is_the_sum(void **state)
{
	struct fixture *f = *state;
	struct site_vm *vm = add(f, "1", 2, LISTS("0", "4"));
	struct cpuset other = cpus("2,6");

	(void)judged(f, MEASURE_J);
	site_give(&f->run.site, vm, &other);
	near(judged(f, MEASURE_J), 9 / 120.0 + 1 + 0.4);
}

static void
two_on_one_cpu_wait_when_both_are_busy(void **state)
{
	struct fixture *f = *state;
	struct verdict v;
	double expected = 0.5 * (0.01 + 0.04 + 0.09 + 0.25) / 4;
	float many[4000];

	add(f, "1", 1, LISTS("0"));
	add(f, "2", 1, LISTS("0"));
	v = judge_site(&f->run.site, 3);
	for (unsigned int i = 0; i < JUDGE_DRAWS; i++)
		assert_true(v.wait[i] <= 0 || fabs((double)v.wait[i] - 0.5) < 1e-6);
	waits_draw(&f->run.site, 3, 1000, many);
	if (fabs(waits_mean(many, 4000) - expected) > 0.006)
		fail_msg("%g", waits_mean(many, 4000));
	near(waits_p95(many, 4000), 0.5);
}

static void
what_limits_force_is_no_waiting(void **state)
{
	struct fixture *f = *state;

	add(f, "1", 1, LISTS("0"))->limit = cpus("0");
	add(f, "2", 1, LISTS("0"))->limit = cpus("0");
	near(judged(f, MEASURE_WAIT), 0);
	/* one of them could go away: half of the demand waits for nothing */
	f->run.site.vms[1].limit = cpus("0-1");
	assert_true(judged(f, MEASURE_WAIT) > 0.01);
}

static void
pouring_fills_to_one_level(void **state)
{
	static const unsigned short at[5] = {0, 1, 2, 3, 4};
	struct rnd rnd = rnd_new(5);

	(void)state;
	for (unsigned int round = 0; round < 1000; round++) {
		double load[5];
		double had[5];
		double got[5];
		double demand = 3 * rnd_share(&rnd);
		double level = 0;
		double sum = 0;

		for (unsigned int i = 0; i < 5; i++)
			had[i] = load[i] = 2 * rnd_share(&rnd);
		pour(at, 5, demand, load, got);
		for (unsigned int i = 0; i < 5; i++) {
			near(had[i] + got[i], load[i]);
			sum += got[i];
			if (got[i] > 0)
				level = load[i];
		}
		near(sum, demand);
		for (unsigned int i = 0; i < 5; i++) {
			if (got[i] > 0)
				near(load[i], level);
			else
				assert_true(load[i] > level - 1e-9);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(latency_is_that_of_the_pairs),
		FIXTURE_TEST(latency_counts_by_vcpus_and_spreads_over_masks),
		FIXTURE_TEST(more_vcpus_than_cpus_double_up),
		FIXTURE_TEST(memory_is_where_the_vcpus_were_at_first),
		FIXTURE_TEST(guest_nodes_use_their_own_memory_most),
		FIXTURE_TEST(demand_is_lost_where_cpus_idle_elsewhere),
		FIXTURE_TEST(what_the_host_lacks_is_not_lost),
		FIXTURE_TEST(sharing_a_core_tells_own_from_others),
		FIXTURE_TEST(vms_that_share_a_domain_meet_by_chance),
		FIXTURE_TEST(second_threads_are_used_when_no_core_is_idle),
		FIXTURE_TEST(split_is_more_nodes_than_needed),
		FIXTURE_TEST(emulators_are_disturbed_by_vcpus),
		FIXTURE_TEST(j_is_the_sum),
		FIXTURE_TEST(two_on_one_cpu_wait_when_both_are_busy),
		FIXTURE_TEST(what_limits_force_is_no_waiting),
		cmocka_unit_test(pouring_fills_to_one_level),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
