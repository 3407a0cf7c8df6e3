// SPDX-License-Identifier: MIT
/* The host model: facts in any order become sorted, indexed groups; wrong ones do not.
 */
#include "config.h"

#include "topo/model.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "layouts.h"

/* A CPU of which nothing is known. */
static struct topo_cpu_facts
bare(unsigned int cpu)
{
	return (struct topo_cpu_facts){
		.cpu = cpu,
		.core_key = TOPO_NONE,
		.l2_key = TOPO_NONE,
		.l3_key = TOPO_NONE,
		.package_id = TOPO_NONE,
		.node_id = TOPO_NONE,
	};
}

static void
assert_list(const struct cpuset *cpus, const char *list)
{
	char text[CPUSET_TEXT_MAX];

	assert_string_equal(cpuset_format(cpus, text, sizeof(text)), list);
}

static void
assert_groups(const struct topo_group *groups, unsigned int n, const char *const *lists)
{
	for (unsigned int i = 0; i < n; i++)
		assert_list(&groups[i].cpus, lists[i]);
}

static void
facts_in_any_order_give_the_same_model(void **state)
{
	const struct layout l = {2, 2, 2, 2, 2, 12, 32};
	struct topo_facts f = hosts_facts(&l);
	struct topo *forward = NULL;
	struct topo *backward = NULL;

	(void)state;
	assert_int_equal(topo_build(&f, &forward, NULL), 0);
	for (unsigned int i = 0; i < f.n_cpus / 2; i++) {
		struct topo_cpu_facts c = f.cpus[i];

		f.cpus[i] = f.cpus[f.n_cpus - 1 - i];
		f.cpus[f.n_cpus - 1 - i] = c;
	}
	for (unsigned int i = 0; i < f.n_nodes; i++)
		f.nodes[i].id = f.n_nodes - 1 - i;
	assert_int_equal(topo_build(&f, &backward, NULL), 0);
	assert_true(topo_equal(forward, backward));
	assert_int_equal(forward->n_pus, 32);
	assert_int_equal(forward->n_cores, 16);
	assert_int_equal(forward->n_l3, 8);
	assert_int_equal(forward->n_nodes, 4);
	assert_int_equal(forward->n_packages, 2);
	assert_list(&forward->l3[1].cpus, "2-3,18-19");
	assert_int_equal(forward->l3[1].id, 2);
	assert_int_equal(forward->l3[1].size_kib, 32768);
	topo_free(forward);
	topo_free(backward);
	topo_facts_fini(&f);
}

static void
groups_that_cross_keep_their_own_cpus(void **state)
{
	struct topo_cpu_facts cpus[4] = {bare(0), bare(1), bare(2), bare(3)};
	struct topo_node_facts nodes[] = {{.id = 3}, {.id = 7}, {.id = 5}};
	const struct topo_facts f = {
		.n_cpus = 4, .cpus = cpus, .n_nodes = 3, .nodes = nodes};
	struct topo *t = NULL;

	(void)state;
	/* L3s 0-1 2-3, node 3: 0, node 7: 1-2, packages 0-2 3; CPU 3 has no node */
	cpus[0].l3_key = cpus[1].l3_key = 40;
	cpus[2].l3_key = cpus[3].l3_key = 30;
	cpus[0].node_id = 3;
	cpus[1].node_id = cpus[2].node_id = 7;
	cpus[0].package_id = cpus[1].package_id = cpus[2].package_id = 131072;
	cpus[3].package_id = 0;
	assert_int_equal(topo_build(&f, &t, NULL), 0);
	assert_int_equal(t->n_l3, 2);
	assert_groups(t->l3, 2, (const char *const[]){"0-1", "2-3"});
	assert_int_equal(t->n_packages, 2);
	assert_groups(t->packages, 2, (const char *const[]){"0-2", "3"});
	assert_int_equal(t->packages[0].id, 131072);
	assert_int_equal(t->n_nodes, 3);
	assert_list(&t->nodes[0].cpus, "0");
	assert_true(cpuset_empty(&t->nodes[1].cpus));
	assert_list(&t->nodes[2].cpus, "1-2");
	assert_int_equal(t->pus[3].node, TOPO_NONE);
	assert_int_equal(topo_node_index(t, 7), 2);
	assert_int_equal(topo_node_index(t, 4), TOPO_NONE);
	assert_int_equal(topo_node_index(t, 8), TOPO_NONE);
	topo_free(t);
}

static void
cpus_of_which_nothing_is_known_are_cores_of_their_own(void **state)
{
	struct topo_cpu_facts cpus[] = {bare(2047), bare(5)};
	const struct topo_facts f = {.n_cpus = 2, .cpus = cpus};
	struct topo *t = NULL;

	(void)state;
	assert_int_equal(topo_build(&f, &t, NULL), 0);
	assert_int_equal(t->n_cores, 2);
	assert_int_equal(t->n_l2 + t->n_l3 + t->n_nodes + t->n_packages, 0);
	assert_int_equal(t->pus[0].cpu, 5);
	assert_int_equal(t->pus[0].core, 0);
	assert_int_equal(t->pus[0].package, TOPO_NONE);
	assert_int_equal(topo_pu_of(t, 2047)->core, 1);
	assert_null(topo_pu_of(t, 6));
	assert_null(topo_pu_of(t, 2048));
	assert_null(t->distances);
	topo_free(t);
}

static void
wrong_facts_are_refused_and_named(void **state)
{
	struct topo_cpu_facts twice[] = {bare(3), bare(4), bare(3)};
	struct topo_cpu_facts high[] = {bare(CPUSET_CAP)};
	struct topo_cpu_facts homeless[] = {bare(0), bare(1)};
	struct topo_cpu_facts package[] = {bare(0)};
	struct topo_node_facts same[] = {{.id = 1}, {.id = 1}};
	struct topo_node_facts far[] = {{.id = TOPO_NODE_ID_CAP}};
	const struct {
		struct topo_facts facts;
		int result;
		const char *text;
	} cases[] = {
		{{0}, -EINVAL, "no CPU"},
		{{.n_cpus = 3, .cpus = twice}, -EINVAL, "CPU 3 is there twice"},
		{{.n_cpus = 1, .cpus = high}, -ERANGE, "CPU 2048"},
		{{.n_cpus = 2, .cpus = homeless, .n_nodes = 2, .nodes = same}, -EINVAL,
			"node 1 is there twice"},
		{{.n_cpus = 2, .cpus = homeless, .n_nodes = 1, .nodes = same}, -EINVAL,
			"CPU 1 is in node 9"},
		{{.n_cpus = 2, .cpus = homeless, .n_nodes = 1, .nodes = far}, -ERANGE,
			"node 1024"},
		{{.n_cpus = 1, .cpus = package}, -ERANGE, "CPU 0: package id"},
	};

	(void)state;
	homeless[1].node_id = 9;
	package[0].package_id = INT64_C(1) << 40;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct topo *t = (struct topo *)&t;
		struct err e = ERR_NONE;
		int r = topo_build(&cases[i].facts, &t, &e);

		if (r != cases[i].result || strstr(e.text, cases[i].text) == NULL)
			fail_msg("case %zu: %d \"%s\"", i, r, e.text);
		assert_ptr_equal(t, &t);
	}
}

static void
distances_follow_the_nodes_when_these_are_sorted(void **state)
{
	struct topo_cpu_facts cpus[] = {bare(0), bare(1), bare(2)};
	struct topo_node_facts nodes[] = {{.id = 8}, {.id = 0}, {.id = 4}};
	unsigned int distances[] = {10, 11, 12, 21, 10, 22, 31, 32, 10};
	const struct topo_facts f = {.n_cpus = 3,
		.cpus = cpus,
		.n_nodes = 3,
		.nodes = nodes,
		.distances = distances};
	/* 0, 4, 8 are numbers 1, 2, 0 of the facts */
	const unsigned int sorted[] = {10, 22, 21, 32, 10, 31, 11, 12, 10};
	struct topo *t = NULL;

	(void)state;
	cpus[0].node_id = 0;
	cpus[1].node_id = 4;
	cpus[2].node_id = 8;
	cpus[0].package_id = cpus[1].package_id = 1;
	assert_int_equal(topo_build(&f, &t, NULL), 0);
	assert_memory_equal(t->distances, sorted, sizeof(sorted));
	assert_int_equal(topo_distance(t, 0, 1), 32);
	assert_int_equal(topo_distance(t, 1, 0), 32);
	assert_int_equal(t->near_distance, 32);
	assert_int_equal(t->far_distance, 21);
	topo_free(t);
}

static void
base_distances_leave_out_memory_only_nodes(void **state)
{
	struct topo_cpu_facts cpus[] = {bare(0), bare(1)};
	struct topo_node_facts nodes[] = {{.id = 0}, {.id = 1}, {.id = 2}};
	unsigned int distances[] = {10, 21, 14, 21, 10, 24, 14, 24, 10};
	const struct topo_facts f = {.n_cpus = 2,
		.cpus = cpus,
		.n_nodes = 3,
		.nodes = nodes,
		.distances = distances};
	struct topo *t = NULL;

	(void)state;
	cpus[0].node_id = 0;
	cpus[1].node_id = 1;
	assert_int_equal(topo_build(&f, &t, NULL), 0);
	assert_int_equal(t->near_distance, 0);
	assert_int_equal(t->far_distance, 21);
	topo_free(t);
}

static void
equal_means_everything_but_free_memory(void **state)
{
	const struct layout l = {2, 1, 2, 2, 2, 12, 32};
	struct topo *base = hosts_build(&l);

	(void)state;
	for (unsigned int change = 0; change < 9; change++) {
		struct topo_facts f = hosts_facts(&l);
		struct topo *t = NULL;

		f.nodes[1].free_kib = 7;
		switch (change) {
		case 1:
			f.cpus[3].l3_key = f.cpus[0].l3_key;
			break;
		case 2:
			f.cpus[3].kind = TOPO_KIND_EFFICIENCY;
			break;
		case 3:
			f.nodes[0].mem_kib++;
			break;
		case 4:
			f.distances[1]++;
			break;
		case 5:
			f.n_cpus--;
			break;
		case 6:
			f.isolated = cpuset_of(1);
			break;
		case 7:
			f.cpus[0].node_id = 1;
			break;
		case 8:
			free(f.distances);
			f.distances = NULL;
			break;
		default:
			break;
		}
		assert_int_equal(topo_build(&f, &t, NULL), 0);
		if (topo_equal(base, t) != (change == 0))
			fail_msg("change %u", change);
		topo_free(t);
		topo_facts_fini(&f);
	}
	topo_free(base);
}

static void
cores_and_nodes_of_a_set_are_counted_once(void **state)
{
	const struct layout l = {2, 1, 1, 4, 2, 0, 0};
	struct topo *t = hosts_build(&l); /* cores 0-7, siblings 8-15 */
	struct cpuset cpus;
	struct cpuset nodes;

	(void)state;
	assert_int_equal(cpuset_parse("0,8,1,2000", &cpus), 0);
	assert_int_equal(topo_count_cores(t, &cpus), 2);
	nodes = topo_nodes_of(t, &cpus);
	assert_list(&nodes, "0");
	nodes = topo_nodes_of(t, &t->online);
	assert_list(&nodes, "0-1");
	assert_int_equal(topo_count_cores(t, &t->online), 8);
	cpus = CPUSET_NONE;
	assert_int_equal(topo_count_cores(t, &cpus), 0);
	topo_free(t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(facts_in_any_order_give_the_same_model),
		cmocka_unit_test(groups_that_cross_keep_their_own_cpus),
		cmocka_unit_test(cpus_of_which_nothing_is_known_are_cores_of_their_own),
		cmocka_unit_test(wrong_facts_are_refused_and_named),
		cmocka_unit_test(distances_follow_the_nodes_when_these_are_sorted),
		cmocka_unit_test(base_distances_leave_out_memory_only_nodes),
		cmocka_unit_test(equal_means_everything_but_free_memory),
		cmocka_unit_test(cores_and_nodes_of_a_set_are_counted_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
