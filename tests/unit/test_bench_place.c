// SPDX-License-Identifier: MIT
/*
 * The peers of the placement benchmark on cases to be checked by eye, its scenarios for
 * being the same every time and within their load, and what counts as a move.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "bench_fixture.h"

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

static void
the_sketch_keeps_its_bounds_and_moves_nobody(void **state)
{
	static const struct scenario_band band = {200, 350};
	struct host h = host_full(&host_7351p);
	struct bench_host bench = {.topo = h.topo, .ns = h.ns};
	struct tune tune = tune_default();
	struct scenario s = scenario_make(h.topo, &band, 4, 40);
	struct score still = {0};
	struct score moving = {0};

	(void)state;
	run_scenario(&policy_sketch, &bench, &tune, &s, &still);
	run_scenario(&policy_sketch_moves, &bench, &tune, &s, &moving);
	near(still.moved, 0);
	assert_true(score_meets(&still));
	assert_true(moving.moved > 0);
	assert_true(score_mean(&moving, MEASURE_J) < score_mean(&still, MEASURE_J));
	score_fini(&still);
	score_fini(&moving);
	scenario_fini(&s);
	host_fini(&h);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(nearest_starts_are_neighbours),
		FIXTURE_TEST(random_gives_each_vcpu_one_of_its_own),
		FIXTURE_TEST(rfc_takes_the_first_node_that_is_large_enough),
		FIXTURE_TEST(rfc_refuses),
		FIXTURE_TEST(rfc_one_to_one_stays_on_a_node_until_it_is_full),
		FIXTURE_TEST(numad_takes_the_freest_nodes_it_needs),
		FIXTURE_TEST(kubelet_packs_and_then_gives_nothing),
		FIXTURE_TEST(a_seed_is_a_scenario),
		cmocka_unit_test(load_stays_in_the_band),
		FIXTURE_TEST(needless_moves_are_counted),
		FIXTURE_TEST(the_planner_moves_nobody_and_is_judged_the_same_twice),
		cmocka_unit_test(the_sketch_keeps_its_bounds_and_moves_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
