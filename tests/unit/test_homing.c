// SPDX-License-Identifier: MIT
/*
 * Pinned vCPUs that go when their CPUs do, and return with them. Node 0 of the host has
 * CPUs 0-7 and 32-39, four cores in each of two L3 groups.
 */
#include "config.h"

#include "place/homing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "base/attr.h"
#include "expect.h"
#include "ground.h"

#define NODE_0 "0-7,32-39"

static struct replay_settings
settings(bool rebalance)
{
	struct replay_settings s = replay_settings_default();

	s.policy.rebalance = rebalance;
	s.rebalance_vcpus_per_min = 10;
	return s;
}

static struct replay *
begin(struct ground *g, bool rebalance)
{
	struct replay_settings s = settings(rebalance);

	*g = (struct ground){.spec = &host_9354};
	return ground_replay(g, &s);
}

static void
start(struct replay *r, const char *id, unsigned int n_vcpus, enum place_mode mode,
	const char *affinity)
{
	struct replay_event e = ground_start(id, n_vcpus);

	e.start.has_mode = true;
	e.start.mode = mode;
	e.start.has_affinity = affinity != NULL;
	if (affinity != NULL)
		e.start.affinity = cpus(affinity);
	ground_step(r, e);
}

static void
switch_cpus(struct replay *r, const char *list, bool online)
{
	struct cpuset set = cpus(list);

	cpuset_foreach (cpu, &set)
		ground_step(
			r, ground_cpu(online ? REPLAY_CPU_ONLINE : REPLAY_CPU_OFFLINE,
				   cpu));
}

static void
wait_s(struct replay *r, double s)
{
	struct replay_event e = ground_host(NULL, 0, NULL, 0);

	e.t_s = replay_now_s(r) + s;
	ground_step(r, e);
}

static struct cpuset
cpus_of(const struct replay *r, unsigned int vm)
{
	struct cpuset all = CPUSET_NONE;

	for (unsigned int v = 0; v < ground_vm(r, vm)->n_vcpus; v++) {
		struct cpuset mask = replay_mask(r, vm, v);

		all = cpuset_or(&all, &mask);
	}
	return all;
}

static void
check_cpus(const struct replay *r, unsigned int vm, const char *wanted)
{
	struct cpuset has = cpus_of(r, vm);

	expect_cpus(&has, wanted, ground_why(r, vm));
}

/* All of node 0 is VM 100's, so that the vCPU of a CPU that goes has to go farther. */
static struct replay *
full_node(struct ground *g, bool rebalance)
{
	struct replay *r = begin(g, rebalance);

	start(r, "100", 16, PLACE_PIN, NULL);
	check_cpus(r, 0, NODE_0);
	switch_cpus(r, "5", false);
	return r;
}

static bool
is_home(const struct replay *r)
{
	struct cpuset has = cpus_of(r, 0);

	return cpuset_has(&has, 5);
}

static void
a_vcpu_returns_with_its_cpu_when_it_has_rested(void **state)
{
	struct ground g;
	struct replay *r = full_node(&g, true);
	struct cpuset masks[16];

	(void)state;
	for (unsigned int v = 0; v < 16; v++)
		masks[v] = replay_mask(r, 0, v);
	switch_cpus(r, "5", true);
	assert_false(is_home(r));
	wait_s(r, 200); /* it rests for 300 s, of which one minute has passed */
	assert_false(is_home(r));
	wait_s(r, 60);
	check_cpus(r, 0, NODE_0);
	expect_text(ground_why(r, 0), "returned as CPU 5 is back");
	assert_int_equal(replay_moved(r), 1);
	for (unsigned int v = 0; v < 16; v++) {
		struct cpuset now = replay_mask(r, 0, v);

		assert_true(cpuset_has(&now, 5) || cpuset_equal(&now, &masks[v]));
	}
	for (unsigned int i = 0; i < 3; i++) {
		wait_s(r, 400);
		assert_int_equal(replay_plan(r)->results[0].verdict, PLAN_KEEP);
		expect_text(ground_why(r, 0), "kept");
	}
	replay_free(r);
}

static void
without_rebalance_it_stays(void **state)
{
	struct ground g;
	struct replay *r = full_node(&g, false);

	(void)state;
	switch_cpus(r, "5", true);
	wait_s(r, 1000);
	assert_false(is_home(r));
	replay_free(r);
}

static void
it_stays_where_nothing_may_be_moved_and_as_long_as_the_cpu_is_gone(void **state)
{
	struct replay_settings s = settings(true);
	struct ground g = {.spec = &host_9354};
	struct replay *r;

	(void)state;
	s.rebalance_vms_per_min = 0;
	r = ground_replay(&g, &s);
	start(r, "100", 16, PLACE_PIN, NULL);
	switch_cpus(r, "5", false);
	switch_cpus(r, "5", true);
	wait_s(r, 1000);
	assert_false(is_home(r));
	replay_free(r);
	r = full_node(&g, true);
	wait_s(r, 1000);
	assert_int_equal(replay_plan(r)->results[0].verdict, PLAN_KEEP);
	replay_free(r);
}

static void
it_returns_when_whoever_took_its_cpu_has_gone(void **state)
{
	struct ground g;
	struct replay *r = full_node(&g, true);

	(void)state;
	switch_cpus(r, "5", true);
	start(r, "101", 1, PLACE_PIN, "5");
	wait_s(r, 1000);
	assert_false(is_home(r));
	ground_step(r, ground_event(REPLAY_STOP, "101"));
	assert_true(is_home(r));
	replay_free(r);
}

/* Its refuge has become another VM's alone. */
static void
who_had_to_go_on_from_there_still_returns(void **state)
{
	struct ground g;
	struct replay *r = full_node(&g, true);
	struct cpuset away = cpus_of(r, 0);
	struct cpuset node = cpus(NODE_0);
	struct cpuset now;
	char list[CPUSET_TEXT_MAX];

	(void)state;
	away = cpuset_minus(&away, &node);
	start(r, "200", 1, PLACE_DEDICATED, cpuset_format(&away, list, sizeof(list)));
	now = cpus_of(r, 0);
	assert_false(cpuset_overlap(&now, &away));
	switch_cpus(r, "5", true);
	wait_s(r, 1000);
	assert_true(is_home(r));
	replay_free(r);
}

/* The node, but for CPU 0, which must not go. */
static struct cpuset
node_around(const struct replay *r, const struct cpuset *some)
{
	const struct topo *t = replay_input(r)->topo;
	struct cpuset node = CPUSET_NONE;

	for (unsigned int i = 0; i < t->n_nodes; i++) {
		if (cpuset_overlap(&t->nodes[i].cpus, some))
			node = cpuset_or(&node, &t->nodes[i].cpus);
	}
	cpuset_remove(&node, 0);
	return node;
}

static void
all_pinned_modes_return_with_their_node(void **state)
{
	static const enum place_mode modes[] = {PLACE_PIN, PLACE_CORE, PLACE_DEDICATED};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		struct ground g;
		struct replay *r = begin(&g, true);
		char home[CPUSET_TEXT_MAX];
		char list[CPUSET_TEXT_MAX];
		struct cpuset had;
		struct cpuset node;
		struct cpuset now;

		start(r, "100", 4, modes[i], NULL);
		had = cpus_of(r, 0);
		node = node_around(r, &had);
		cpuset_format(&had, home, sizeof(home));
		cpuset_format(&node, list, sizeof(list));
		switch_cpus(r, list, false);
		now = cpus_of(r, 0);
		assert_false(cpuset_overlap(&now, &node));
		switch_cpus(r, list, true);
		wait_s(r, 1000);
		check_cpus(r, 0, home);
		replay_free(r);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_vcpu_returns_with_its_cpu_when_it_has_rested),
		cmocka_unit_test(without_rebalance_it_stays),
		cmocka_unit_test(
			it_stays_where_nothing_may_be_moved_and_as_long_as_the_cpu_is_gone),
		cmocka_unit_test(it_returns_when_whoever_took_its_cpu_has_gone),
		cmocka_unit_test(who_had_to_go_on_from_there_still_returns),
		cmocka_unit_test(all_pinned_modes_return_with_their_node),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
