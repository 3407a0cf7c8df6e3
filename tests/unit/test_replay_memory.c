// SPDX-License-Identifier: MIT
/* Where the memory of the VMs of a replay comes to lie, and what is free. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>

#include "base/str.h"
#include "ground.h"

/* The VM is bound to two CPUs of node 1 and one of node 2. */
static struct replay_event
between_nodes(const char *id)
{
	struct replay_event e = ground_start(id, 1);

	e.start.memory_gib = 9;
	e.start.has_affinity = true;
	e.start.affinity = ground_cpus("8,9,16");
	e.start.has_mode = true;
	e.start.mode = PLACE_OFF;
	return e;
}

static void
near(double a, double b)
{
	if (fabs(a - b) > 1e-9)
		fail_msg("%.12g is not %.12g", a, b);
}

static void
memory_is_first_touched_where_the_vcpus_may_run(void **state)
{
	struct replay_amount free_gib[] = {{1, 20}, {2, 2}};
	struct ground g = {.spec = &host_9354};
	struct replay *r = ground_replay(&g, NULL);
	const double *left;

	(void)state;
	ground_step(r, ground_host(free_gib, 2, NULL, 0));
	ground_step(r, between_nodes("100"));
	ground_step(r, ground_start("101", 1));
	near(ground_vm(r, 0)->memory_share[0], 0);
	near(ground_vm(r, 0)->memory_share[1], 2.0 / 3);
	near(ground_vm(r, 0)->memory_share[2], 1.0 / 3);
	near(ground_vm(r, 0)->memory_share[3], 0);
	left = replay_input(r)->node_free_gib;
	near(left[1], 14);
	near(left[2], 0);	  /* not below */
	assert_true(left[0] < 0); /* unknown stays unknown */
	ground_step(r, ground_event(REPLAY_STOP, "100"));
	left = replay_input(r)->node_free_gib;
	near(left[1], 20);
	near(left[2], 2); /* what there was to take, no more */
	ground_step(r, ground_event(REPLAY_STOP, "101"));
	left = replay_input(r)->node_free_gib;
	near(left[0], -1); /* unknown, wherever it was */
	near(left[3], -1);
	replay_free(r);
}

static void
memory_stays_where_it_was_touched(void **state)
{
	struct replay_settings s = replay_settings_default();
	struct ground g = {.spec = &host_9354};
	struct replay *r;
	struct cpuset mask;

	(void)state;
	s.mode = PLACE_PIN;
	r = ground_replay(&g, &s);
	ground_step(r, ground_start("100", 1));
	mask = replay_mask(r, 0, 0);
	assert_true(cpuset_has(
		&replay_input(r)->topo->nodes[0].cpus, cpuset_next(&mask, 0)));
	for (unsigned int cpu = 0; cpu < 64; cpu++) {
		if (cpuset_has(&replay_input(r)->topo->nodes[0].cpus, cpu))
			ground_step(r, ground_cpu(REPLAY_CPU_OFFLINE, cpu));
	}
	near(ground_vm(r, 0)->memory_share[0], 1);
	assert_int_equal(replay_input(r)->topo->n_nodes, 4);
	replay_free(r);
}

static void
resident_memory_is_where_it_is_and_comes_back(void **state)
{
	struct replay_amount free_gib[] = {{0, 10}, {3, 10}};
	struct replay_amount resident[] = {{3, 6}, {0, 2}};
	struct ground g = {.spec = &host_9354};
	struct replay *r = ground_replay(&g, NULL);
	struct replay_event event = ground_start("100", 2);

	(void)state;
	event.start.n_resident = 2;
	event.start.resident = resident;
	ground_step(r, ground_host(free_gib, 2, NULL, 0));
	ground_step(r, event);
	near(ground_vm(r, 0)->memory_share[3], 0.75);
	near(ground_vm(r, 0)->memory_share[0], 0.25);
	near(replay_input(r)->node_free_gib[3], 10);
	ground_step(r, ground_event(REPLAY_STOP, "100"));
	near(replay_input(r)->node_free_gib[3], 16);
	near(replay_input(r)->node_free_gib[0], 12);
	replay_free(r);
}

static void
memory_of_guest_nodes_is_on_their_host_nodes(void **state)
{
	struct cpuset vcpus[2] = {ground_cpus("0-1"), ground_cpus("2-3")};
	struct cpuset hosts[2] = {ground_cpus("1"), ground_cpus("2-3")};
	struct ground g = {.spec = &host_9354};
	struct replay *r = ground_replay(&g, NULL);
	struct replay_event event = ground_start("100", 4);
	const struct plan_guest_node *nodes;

	(void)state;
	event.start.n_guest_nodes = 2;
	event.start.guest_vcpus = vcpus;
	event.start.host_nodes = hosts;
	event.start.has_mode = true; /* its vCPUs are everywhere */
	event.start.mode = PLACE_OFF;
	ground_step(r, event);
	nodes = ground_vm(r, 0)->guest_nodes;
	assert_true(cpuset_equal(&nodes[1].host_nodes, &hosts[1]));
	near(nodes[0].memory_share[1], 1);
	near(nodes[1].memory_share[1], 0);
	near(nodes[1].memory_share[2], 0.5);
	near(nodes[1].memory_share[3], 0.5);
	near(ground_vm(r, 0)->memory_share[1], 0.5);
	near(ground_vm(r, 0)->memory_share[2], 0.25);
	replay_free(r);
}

static void
a_node_without_memory_takes_it_from_the_nearest(void **state)
{
	struct ground g = {
		.spec = &host_9654_2s, .no_memory = {[1] = true, [5] = true}};
	struct replay *r = ground_replay(&g, NULL);
	struct replay_event event = ground_start("100", 1);

	(void)state;
	event.start.has_affinity = true;
	event.start.has_mode = true;
	event.start.mode = PLACE_OFF;
	event.start.affinity = replay_input(r)->topo->nodes[5].cpus;
	ground_step(r, event);
	near(ground_vm(r, 0)->memory_share[4], 1); /* of the same socket */
	str_copy(event.id, sizeof(event.id), "101");
	event.start.affinity =
		cpuset_or(&event.start.affinity, &replay_input(r)->topo->nodes[1].cpus);
	ground_step(r, event);
	near(ground_vm(r, 1)->memory_share[4], 0.5);
	near(ground_vm(r, 1)->memory_share[0], 0.5);
	replay_free(r);
}

static void
a_host_without_nodes_knows_nothing_of_memory(void **state)
{
	struct ground g = {.spec = &host_flat2};
	struct replay *r = ground_replay(&g, NULL);

	(void)state;
	ground_step(r, ground_start("100", 2));
	ground_step(r, ground_start("101", 2));
	assert_null(ground_vm(r, 0)->memory_share);
	ground_step(r, ground_event(REPLAY_STOP, "100"));
	replay_free(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_is_first_touched_where_the_vcpus_may_run),
		cmocka_unit_test(memory_stays_where_it_was_touched),
		cmocka_unit_test(resident_memory_is_where_it_is_and_comes_back),
		cmocka_unit_test(memory_of_guest_nodes_is_on_their_host_nodes),
		cmocka_unit_test(a_node_without_memory_takes_it_from_the_nearest),
		cmocka_unit_test(a_host_without_nodes_knows_nothing_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
