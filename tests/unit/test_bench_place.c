// SPDX-License-Identifier: MIT
/*
 * The judge of the placement benchmark on cases worked out by hand, its peers on cases
 * to be checked by eye, its scenarios for being the same every time. The host is small:
 * node 0 has the cores {0,4} and {1,5}, node 1 {2,6} and {3,7}; latencies are 9 within
 * a core, 25 within a node, 120 between nodes.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "hosts.h"
#include "policies.h"
#include "pour.h"

static const struct host_spec small = {"small", 1, 2, 1, 2, 2, 0};

struct fixture {
	struct host host;
	struct bench_host bench; /* the same, borrowed */
	struct run run;
	struct replay_start starts[8];
	unsigned int n;
};

static int
set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));
	static struct tune tune;

	tune = tune_default();
	f->host = host_full(&small);
	f->bench = (struct bench_host){
		.name = NULL, .topo = f->host.topo, .ns = f->host.ns};
	f->run = (struct run){.host = &f->bench, .tune = &tune, .rnd = rnd_new(1)};
	f->run.site = site_new(f->host.topo, f->host.lat);
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	site_fini(&f->run.site);
	host_fini(&f->host);
	free(f);
	return 0;
}

static struct cpuset
cpus(const char *text)
{
	struct cpuset set;

	assert_int_equal(cpuset_parse(text, &set), 0);
	return set;
}

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
near(double got, double wanted)
{
	if (fabs(got - wanted) > 1e-6)
		fail_msg("%g is not %g", got, wanted);
}

/* ---- the judge ---- */

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

/* ---- the peers ---- */

static struct site_vm *
start(struct fixture *f, const struct policy *p, const char *id, unsigned int n_vcpus)
{
	struct replay_event e = {.kind = REPLAY_START};
	struct site_vm *vm = site_add(&f->run.site, id, n_vcpus);
	struct replay_start *s = &f->starts[f->n++];

	if (f->n == 1 && p->begin != NULL)
		f->run.memo = p->begin(&f->run);
	if (s->max_vcpus == 0)
		s->max_vcpus = n_vcpus;
	vm->start = s;
	vm->memory_gib = 1;
	if (s->n_guest_nodes > 0) {
		vm->n_nodes = s->n_guest_nodes;
		vm->node_vcpus = s->guest_vcpus;
	}
	p->on_event(&f->run, &e, vm);
	judge_touch(&f->run.site);
	return vm;
}

static void
has(const struct site_vm *vm, unsigned int vcpu, const char *list)
{
	char text[CPUSET_TEXT_MAX];

	cpuset_format(&vm->masks[vcpu], text, sizeof(text));
	if (strcmp(text, list) != 0)
		fail_msg("vm %s, vCPU %u: %s, not %s", vm->id, vcpu, text, list);
}

static void
nearest_starts_are_neighbours(void **state)
{
	struct fixture *f = *state;

	has(start(f, &policy_nearest, "1", 2), 0, "0,4");
	has(start(f, &policy_nearest, "2", 3), 2, "0-1,5");
	has(start(f, &policy_nearest, "3", 1), 0, "2");
	policy_nearest.end(&f->run);
}

static void
random_gives_each_vcpu_one_of_its_own(void **state)
{
	struct fixture *f = *state;
	struct site_vm *vm = start(f, &policy_random, "1", 8);
	struct cpuset all = CPUSET_NONE;

	for (unsigned int v = 0; v < 8; v++) {
		assert_int_equal(cpuset_count(&vm->masks[v]), 1);
		all = cpuset_or(&all, &vm->masks[v]);
	}
	assert_int_equal(cpuset_count(&all), 8);
}

static void
rfc_takes_the_first_node_that_is_large_enough(void **state)
{
	struct fixture *f = *state;
	struct cpuset nodes[2] = {cpus("0-1"), cpus("2-3")};
	struct site_vm *vm;

	f->starts[0] = (struct replay_start){
		.numa = true, .n_guest_nodes = 2, .guest_vcpus = nodes};
	vm = start(f, &policy_rfc_numa, "1", 4);
	has(vm, 1, "0-1,4-5");
	has(vm, 2, "2-3,6-7");
	f->starts[1].numa = true;
	has(start(f, &policy_rfc_numa, "2", 2), 0, "0-1,4-5");
	assert_int_equal(f->run.refused, 0);
}

static void
rfc_refuses(void **state)
{
	struct fixture *f = *state;
	struct cpuset nodes[2] = {cpus("0-1"), cpus("2-3")};
	struct cpuset hosts[2] = {cpus("1"), cpus("1")};

	has(start(f, &policy_rfc_numa, "1", 4), 0, "0-7"); /* numa=0 */
	assert_int_equal(f->run.refused, 1);
	f->starts[1].numa = true;
	has(start(f, &policy_rfc_numa, "2", 5), 0, "0-7"); /* no node has 5 */
	assert_int_equal(f->run.refused, 2);
	f->starts[2].max_vcpus = 4;
	has(start(f, &policy_rfc_one, "3", 2), 0, "0-7"); /* below its maximum */
	assert_int_equal(f->run.refused, 3);
	f->starts[3] = (struct replay_start){.numa = true,
		.n_guest_nodes = 2,
		.guest_vcpus = nodes,
		.host_nodes = hosts};
	has(start(f, &policy_rfc_one, "4", 4), 0, "0-7"); /* both on one host node */
	assert_int_equal(f->run.refused, 4);
}

static void
rfc_one_to_one_stays_on_a_node_until_it_is_full(void **state)
{
	struct fixture *f = *state;
	struct site_vm *vm = start(f, &policy_rfc_one, "1", 4);
	struct cpuset all = CPUSET_NONE;

	for (unsigned int v = 0; v < 4; v++) {
		assert_int_equal(cpuset_count(&vm->masks[v]), 1);
		all = cpuset_or(&all, &vm->masks[v]);
	}
	assert_int_equal(cpuset_count(&all), 4);
	all = topo_nodes_of(f->host.topo, &all);
	assert_int_equal(cpuset_count(&all), 1);
}

static void
numad_takes_the_freest_nodes_it_needs(void **state)
{
	struct fixture *f = *state;

	has(start(f, &policy_numad, "1", 2), 0, "0-1,4-5");
	has(start(f, &policy_numad, "2", 3), 0, "2-3,6-7");
	has(start(f, &policy_numad, "3", 1), 0, "0-1,4-5");
	has(start(f, &policy_numad, "4", 6), 0, "0-7");
}

static void
kubelet_packs_and_then_gives_nothing(void **state)
{
	struct fixture *f = *state;

	has(start(f, &policy_kubelet, "1", 1), 0, "0");
	has(start(f, &policy_kubelet, "2", 2), 0, "1,5");     /* a whole core there */
	has(start(f, &policy_kubelet, "3", 4), 0, "2-3,6-7"); /* a whole node */
	has(start(f, &policy_kubelet, "4", 2), 0, "0-7");
	assert_int_equal(f->run.refused, 1);
	has(start(f, &policy_kubelet, "5", 1), 0, "4");
}

/* ---- scenarios and runs ---- */

static char *
printed(const struct topo *t, uint64_t seed)
{
	static const struct scenario_band band = {200, 350};
	struct scenario s = scenario_make(t, &band, seed, 60);
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	scenario_print(&s, out);
	(void)fclose(out);
	scenario_fini(&s);
	return text;
}

static void
a_seed_is_a_scenario(void **state)
{
	struct fixture *f = *state;
	auto_free char *a = printed(f->host.topo, 1);
	auto_free char *b = printed(f->host.topo, 1);
	auto_free char *c = printed(f->host.topo, 2);

	assert_string_equal(a, b);
	assert_string_not_equal(a, c);
	assert_non_null(strstr(a, "\"memnodes\":{"));
}

static void
load_stays_in_the_band(void **state)
{
	static const struct scenario_band band = {40, 150};
	struct host h = host_full(&host_9354);
	unsigned int kinds[REPLAY_N_KINDS] = {0};

	(void)state;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct scenario s = scenario_make(h.topo, &band, seed, 80);
		double vcpus = 0;
		unsigned int max = 0;

		for (unsigned int i = 0; i < s.n; i++) {
			const struct replay_event *e = &s.events[i];

			kinds[e->kind]++;
			if (e->kind == REPLAY_START)
				vcpus += e->start.n_vcpus;
			if (e->kind == REPLAY_START && e->start.n_vcpus > max)
				max = e->start.n_vcpus;
			/* stops and plugs may only make it less than this */
			if (i < s.n_fill)
				assert_true(vcpus <= 1.5 * h.topo->n_pus);
		}
		assert_int_equal(s.n, s.n_fill + 80);
		assert_true(max <= 32);
		scenario_fini(&s);
	}
	for (int k = REPLAY_START; k < REPLAY_N_KINDS; k++)
		assert_true(kinds[k] > 20);
	host_fini(&h);
}

/* Puts every VM on a node, and at a hotplug on the other one. */
static void
restless(struct run *r, const struct replay_event *e, struct site_vm *vm)
{
	struct cpuset node = r->site.topo->nodes[e->kind == REPLAY_HOTPLUG].cpus;

	(void)vm;
	for (unsigned int i = 0; i < r->site.n; i++)
		site_give(&r->site, &r->site.vms[i], &node);
}

static void
needless_moves_are_counted(void **state)
{
	static const struct policy moves = {.name = "moves", .on_event = restless};
	struct fixture *f = *state;
	struct replay_event events[] = {
		{.kind = REPLAY_START, .id = "1", .start = {.n_vcpus = 2}},
		{.kind = REPLAY_START, .id = "2", .start = {.n_vcpus = 1}},
		/* its mask loses a CPU: no need that it be counted */
		{.kind = REPLAY_CPU_OFFLINE, .cpu = 0},
		{.kind = REPLAY_HOTPLUG, .id = "1", .n_vcpus = 3},
		{.kind = REPLAY_STOP, .id = "2"},
	};
	struct scenario s = {.n = ARRAY_LEN(events), .events = events};
	struct tune tune = tune_default();
	struct score score = {0};

	run_scenario(&moves, &f->bench, &tune, &s, &score);
	/* at the hotplug two of VM 1 and one of VM 2, at the stop three of VM 1 */
	near(score.moved, 6);
	assert_int_equal(score.steps, 5);
	score_fini(&score);
}

static void
the_planner_moves_nobody_and_is_judged_the_same_twice(void **state)
{
	static const struct scenario_band band = {200, 350};
	struct fixture *f = *state;
	struct tune tune = tune_default();
	struct scenario s = scenario_make(f->host.topo, &band, 4, 60);
	struct score first = {0};
	struct score second = {0};

	run_scenario(&policy_planner, &f->bench, &tune, &s, &first);
	run_scenario(&policy_planner, &f->bench, &tune, &s, &second);
	near(first.moved, 0);
	assert_memory_equal(first.sums, second.sums, sizeof(first.sums));
	score_fini(&first);
	score_fini(&second);
	scenario_fini(&s);
}

#define JUDGE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		JUDGE_TEST(latency_is_that_of_the_pairs),
		JUDGE_TEST(latency_counts_by_vcpus_and_spreads_over_masks),
		JUDGE_TEST(more_vcpus_than_cpus_double_up),
		JUDGE_TEST(memory_is_where_the_vcpus_were_at_first),
		JUDGE_TEST(guest_nodes_use_their_own_memory_most),
		JUDGE_TEST(demand_is_lost_where_cpus_idle_elsewhere),
		JUDGE_TEST(what_the_host_lacks_is_not_lost),
		JUDGE_TEST(sharing_a_core_tells_own_from_others),
		JUDGE_TEST(vms_that_share_a_domain_meet_by_chance),
		JUDGE_TEST(split_is_more_nodes_than_needed),
		JUDGE_TEST(emulators_are_disturbed_by_vcpus),
		JUDGE_TEST(j_is_the_sum),
		JUDGE_TEST(two_on_one_cpu_wait_when_both_are_busy),
		JUDGE_TEST(what_limits_force_is_no_waiting),
		cmocka_unit_test(pouring_fills_to_one_level),
		JUDGE_TEST(nearest_starts_are_neighbours),
		JUDGE_TEST(random_gives_each_vcpu_one_of_its_own),
		JUDGE_TEST(rfc_takes_the_first_node_that_is_large_enough),
		JUDGE_TEST(rfc_refuses),
		JUDGE_TEST(rfc_one_to_one_stays_on_a_node_until_it_is_full),
		JUDGE_TEST(numad_takes_the_freest_nodes_it_needs),
		JUDGE_TEST(kubelet_packs_and_then_gives_nothing),
		JUDGE_TEST(a_seed_is_a_scenario),
		cmocka_unit_test(load_stays_in_the_band),
		JUDGE_TEST(needless_moves_are_counted),
		JUDGE_TEST(the_planner_moves_nobody_and_is_judged_the_same_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
