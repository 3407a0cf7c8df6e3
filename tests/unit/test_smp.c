// SPDX-License-Identifier: MIT
/* Nodes and cores of guests, from what QEMU says of their vCPUs. */
#include "config.h"

#include "daemon/smp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/attr.h"

#define VCPUS_MAX 8u

/* vCPUs as index, thread id, node, socket, core, thread; the end has thread id 0. */
struct case_of {
	const char *name;
	struct qmp_vcpu vcpus[VCPUS_MAX + 1];
	unsigned int n_nodes;
	unsigned int threads_per_core;
	uint16_t nodes[VCPUS_MAX];
	uint32_t cores[VCPUS_MAX];
};

static const struct case_of cases[] = {
	{"nothing is said", {{0, 1, -1, -1, -1, -1}, {1, 2, -1, -1, -1, -1}, {0}}, 0, 1,
		{0, 0}, {0, 1}},
	{"two cores of two threads",
		{{0, 1, -1, 0, 0, 0}, {1, 2, -1, 0, 0, 1}, {2, 3, -1, 0, 1, 0},
			{3, 4, -1, 0, 1, 1}, {0}},
		0, 2, {0, 0, 0, 0}, {0, 0, 1, 1}},
	{"cores of two sockets have the same numbers",
		{{0, 1, 0, 0, 0, 0}, {1, 2, 0, 0, 0, 1}, {2, 3, 1, 1, 0, 0},
			{3, 4, 1, 1, 0, 1}, {0}},
		2, 2, {0, 0, 1, 1}, {0, 0, 1, 1}},
	{"cores of two dies have the same numbers",
		{{0, 1, -1, 0, 0, 0}, {1, 2, -1, 0, 1, 0}, {2, 3, -1, 0, 0, 0},
			{3, 4, -1, 0, 1, 0}, {0}},
		0, 1, {0, 0, 0, 0}, {0, 1, 2, 3}},
	{"dies of one core with two threads",
		{{0, 1, -1, 0, 0, 0}, {1, 2, -1, 0, 0, 1}, {2, 3, -1, 0, 0, 0},
			{3, 4, -1, 0, 0, 1}, {0}},
		0, 2, {0, 0, 0, 0}, {0, 0, 1, 1}},
	{"some threads are not plugged",
		{{0, 1, 0, 0, 0, 0}, {3, 4, 0, 0, 1, 1}, {4, 5, 1, 1, 0, 0},
			{5, 6, 1, 1, 0, 1}, {0}},
		2, 2, {0, 0, 1, 1}, {0, 1, 2, 2}},
	{"who has no node is in node 0; a node may be empty",
		{{0, 1, -1, 0, 0, 0}, {1, 2, 2, 0, 1, 0}, {0}}, 3, 1, {0, 2}, {0, 1}},
	{"no QEMU has that many nodes", {{0, 1, 0, 0, 0, 0}, {1, 2, 128, 0, 1, 0}, {0}},
		0, 1, {0, 0}, {0, 1}},
	{"no vCPU", {{0}}, 0, 0, {0}, {0}},
};

static struct qmp_facts
facts_of(const struct case_of *c)
{
	struct qmp_facts facts = {.n_vcpus = 0};

	/* borrowed: never freed through the facts */
	facts.vcpus = (struct qmp_vcpu *)(uintptr_t)c->vcpus;
	while (c->vcpus[facts.n_vcpus].tid != 0)
		facts.n_vcpus++;
	return facts;
}

static void
nodes_and_cores_are_the_guest_s(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct case_of *c = &cases[i];
		struct qmp_facts facts = facts_of(c);
		struct smp g;

		smp_init(&g, &facts);
		if (g.n_nodes != c->n_nodes ||
			g.threads_per_core != c->threads_per_core)
			fail_msg("%s: %u nodes, %u threads", c->name, g.n_nodes,
				g.threads_per_core);
		for (unsigned int v = 0; v < facts.n_vcpus; v++) {
			if (g.node_of[v] != c->nodes[v] || g.core_of[v] != c->cores[v])
				fail_msg("%s: vCPU %u: node %u, core %u", c->name, v,
					g.node_of[v], g.core_of[v]);
		}
		smp_fini(&g);
	}
}

static void
vcpus_are_found_by_their_index(void **state)
{
	struct qmp_facts facts = facts_of(&cases[5]);

	(void)state;
	assert_int_equal(smp_find(&facts, 0), 0);
	assert_int_equal(smp_find(&facts, 3), 1);
	assert_int_equal(smp_find(&facts, 5), 3);
	assert_int_equal(smp_find(&facts, 1), -1);
	assert_int_equal(smp_find(&facts, 4096), -1);
	facts.n_vcpus = 0;
	assert_int_equal(smp_find(&facts, 0), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nodes_and_cores_are_the_guest_s),
		cmocka_unit_test(vcpus_are_found_by_their_index),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
