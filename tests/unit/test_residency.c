// SPDX-License-Identifier: MIT
/* Costs of remote memory and where memory is touched first. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>

#include "base/attr.h"
#include "place/residency.h"

/* Nodes of one CPU each, the last @memory_only of them without. */
static struct topo *
nodes(unsigned int n, unsigned int memory_only, unsigned int *distances)
{
	struct topo_cpu_facts cpus[4];
	struct topo_node_facts facts[4];
	struct topo_facts f = {.n_cpus = n - memory_only,
		.cpus = cpus,
		.n_nodes = n,
		.nodes = facts,
		.distances = distances};
	struct topo *t = NULL;

	for (unsigned int i = 0; i < n; i++) {
		cpus[i] = (struct topo_cpu_facts){.cpu = i,
			.core_key = i,
			.l2_key = i,
			.l3_key = i,
			.package_id = 0,
			.node_id = (int)i};
		facts[i] = (struct topo_node_facts){.id = i};
	}
	assert_int_equal(topo_build(&f, &t, NULL), 0);
	return t;
}

static void
the_nearest_other_node_costs_one_and_farther_ones_a_little_more(void **state)
{
	static const struct {
		const char *what;
		unsigned int memory_only;
		unsigned int distances[9];
		float wanted[9];
	} cases[] = {
		{"all alike", 0, {10, 12, 12, 12, 10, 12, 12, 12, 10},
			{0, 1, 1, 1, 0, 1, 1, 1, 0}},
		{"one twice as far", 0, {10, 12, 24, 12, 10, 12, 24, 12, 10},
			{0, 1, 1.25f, 1, 0, 1, 1.25f, 1, 0}},
		{"not to be reached", 0, {10, 10, 255, 10, 10, 10, 255, 10, 10},
			{0, 1, 1.75f, 1, 0, 1, 1.75f, 1, 0}},
		{"memory only", 1, {10, 20, 15, 20, 10, 30, 15, 30, 10},
			{0, 1.0833f, 1, 1.0833f, 0, 1.25f, 1, 1.25f, 0}},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		unsigned int distances[9];
		struct topo *t;
		float *costs;

		for (unsigned int k = 0; k < 9; k++)
			distances[k] = cases[i].distances[k];
		t = nodes(3, cases[i].memory_only, distances);
		costs = residency_costs(t);
		for (unsigned int k = 0; k < 9; k++) {
			if (fabsf(costs[k] - cases[i].wanted[k]) > 1e-3f)
				fail_msg("%s: cost %u is %f", cases[i].what, k,
					(double)costs[k]);
		}
		free(costs);
		topo_free(t);
	}
}

static void
unknown_distances_cost_one(void **state)
{
	struct topo *t = nodes(2, 0, NULL);
	float *costs = residency_costs(t);

	(void)state;
	assert_true(costs[0] == 0 && costs[1] == 1 && costs[2] == 1 && costs[3] == 0);
	free(costs);
	topo_free(t);
}

static void
the_mean_is_over_cpus_and_memory(void **state)
{
	static const float costs[4] = {0, 1, 1, 0};
	static const struct {
		float from[2];
		double to[2];
		double wanted;
	} cases[] = {
		{{1, 0}, {1, 0}, 0}, {{1, 0}, {0, 1}, 1},
		{{0.5f, 0.5f}, {0.5, 0.5}, 0.5}, {{0.25f, 0.75f}, {1, 0}, 0.75},
		{{0, 0}, {1, 0}, 1},	   /* CPUs without a node */
		{{0.5f, 0}, {1, 0}, 0.5},  /* half of them */
		{{1, 0}, {0.25, 0}, 0.75}, /* memory nobody knows */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		double mean = residency_mean(costs, 2, cases[i].from, cases[i].to);

		if (fabs(mean - cases[i].wanted) > 1e-6)
			fail_msg("case %zu: %f", i, mean);
	}
}

/* 0 is near 1, far from 2. */
static void
memory_is_touched_where_it_fits(void **state)
{
	static unsigned int distances[9] = {10, 12, 24, 12, 10, 12, 24, 12, 10};
	static const struct {
		const char *what;
		double gib;
		double free[3];
		double own[3];
		float share[3];
		double wanted[3];
	} cases[] = {
		{"fits", 4, {5, 5, 5}, {0}, {1, 0, 0}, {1, 0, 0}},
		{"the rest goes near", 4, {3, 5, 5}, {0}, {1, 0, 0}, {0.75, 0.25, 0}},
		{"and then far", 4, {2, 1, 5}, {0}, {1, 0, 0}, {0.5, 0.25, 0.25}},
		{"and nowhere", 4, {1, 1, 1}, {0}, {1, 0, 0}, {0.5, 0.25, 0.25}},
		{"unknown is enough", 4, {1, -1, 5}, {0}, {1, 0, 0}, {0.25, 0.75, 0}},
		{"its own is free for it", 4, {1, 5, 5}, {3, 0, 0}, {1, 0, 0},
			{1, 0, 0}},
		{"two nodes", 4, {1, 5, 5}, {0}, {0.5f, 0, 0.5f}, {0.25, 0.25, 0.5}},
		{"of no known size", 0, {0, 0, 0}, {0}, {0.5f, 0.5f, 0}, {0.5, 0.5, 0}},
	};
	struct topo *t = nodes(3, 0, distances);
	float *costs = residency_costs(t);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct residency_want want = {.share = cases[i].share,
			.gib = cases[i].gib,
			.free_gib = cases[i].free,
			.own_gib = cases[i].own};
		double out[3];

		residency_touch(t, costs, &want, out);
		for (unsigned int k = 0; k < 3; k++) {
			if (fabs(out[k] - cases[i].wanted[k]) > 1e-6)
				fail_msg(
					"%s: node %u has %f", cases[i].what, k, out[k]);
		}
	}
	free(costs);
	topo_free(t);
}

static void
the_nearest_of_several_devices_counts(void **state)
{
	static unsigned int distances[9] = {10, 12, 24, 12, 10, 12, 24, 12, 10};
	static const struct {
		float from[3];
		const char *to;
		double wanted;
	} cases[] = {
		{{1, 0, 0}, "0", 0},
		{{1, 0, 0}, "2", 1.25},
		{{1, 0, 0}, "1-2", 1},
		{{0.5f, 0.5f, 0}, "1", 0.5},
		{{1, 0, 0}, "9", 0}, /* not there */
		{{1, 0, 0}, "", 0},
	};
	struct topo *t = nodes(3, 0, distances);
	float *costs = residency_costs(t);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct cpuset to = CPUSET_NONE;
		double got;

		assert_int_equal(cpuset_parse(cases[i].to, &to), 0);
		got = residency_nearest(t, costs, cases[i].from, &to);
		if (fabs(got - cases[i].wanted) > 1e-6)
			fail_msg("case %zu: %f", i, got);
	}
	free(costs);
	topo_free(t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			the_nearest_other_node_costs_one_and_farther_ones_a_little_more),
		cmocka_unit_test(unknown_distances_cost_one),
		cmocka_unit_test(the_mean_is_over_cpus_and_memory),
		cmocka_unit_test(memory_is_touched_where_it_fits),
		cmocka_unit_test(the_nearest_of_several_devices_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
