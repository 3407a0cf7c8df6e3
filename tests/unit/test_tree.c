// SPDX-License-Identifier: MIT
/* The domain tree: kinds of cores part domains, and means between any two nodes. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>

#include "base/attr.h"
#include "hosts.h"
#include "place/tree.h"

/* A core stands for its CPUs: their mean over different cores, one by one. */
static double
mean_ns(const struct host *h, const struct cpuset *a, const struct cpuset *b)
{
	const struct topo *t = h->topo;
	double sum = 0;
	double pairs = 0;

	for (unsigned int i = 0; i < t->n_cores; i++) {
		for (unsigned int j = 0; j < t->n_cores; j++) {
			struct cpuset x = cpuset_and(&t->cores[i].cpus, a);
			struct cpuset y = cpuset_and(&t->cores[j].cpus, b);

			if (i == j || cpuset_empty(&x) || cpuset_empty(&y))
				continue;
			sum += (double)lat_ns(&h->lat,
				(unsigned int)t->pu_of_cpu[cpuset_next(&x, 0)],
				(unsigned int)t->pu_of_cpu[cpuset_next(&y, 0)]);
			pairs += 1;
		}
	}
	return pairs > 0 ? sum / pairs : 0;
}

static void
check_means(const char *name, const struct host *h, const struct tree *t)
{
	for (unsigned int x = 0; x < t->n; x++) {
		for (unsigned int y = 0; y < t->n; y++) {
			double got = tree_between_ns(t, x, y);
			double wanted =
				mean_ns(h, &t->nodes[x].cpus, &t->nodes[y].cpus);

			if (fabs(got - wanted) > 1e-3)
				fail_msg("%s, nodes %u and %u: %f, not %f", name, x, y,
					got, wanted);
		}
	}
}

static void
the_mean_between_any_two_nodes_is_that_of_their_cores(void **state)
{
	static const struct host_spec *const specs[] = {
		&host_9354, &host_snc, &host_hybrid, &host_flat2, &host_1cpu};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(specs); i++) {
		struct host h = host_full(specs[i]);
		struct tree *t = tree_new(h.topo, h.ranking, &h.lat, &h.topo->online);

		check_means(specs[i]->name, &h, t);
		tree_free(t);
		host_fini(&h);
	}
}

/* One L3: 4 performance cores with two threads, 4 efficiency cores, perhaps one more
 * of no known kind. */
static struct host
of_kinds(enum topo_kind first, enum topo_kind second, unsigned int n_cpus)
{
	struct topo_cpu_facts cpus[16];
	struct topo_node_facts node = {.id = 0};
	struct topo_facts f = {
		.n_cpus = n_cpus, .cpus = cpus, .n_nodes = 1, .nodes = &node};

	for (unsigned int i = 0; i < n_cpus; i++) {
		int64_t core = i < 8 ? i / 2 : i - 4;

		cpus[i] = (struct topo_cpu_facts){.cpu = i,
			.core_key = core,
			.l2_key = i < 8 ? core : 100,
			.l3_key = 0,
			.package_id = 0,
			.node_id = 0,
			.kind = i < 8 ? first : second};
		if (i >= 12)
			cpus[i].kind = TOPO_KIND_UNKNOWN;
	}
	return host_of(&f);
}

static void
assert_leaf(const struct tree *t, unsigned int n, unsigned int first, unsigned int cpus,
	unsigned int small)
{
	assert_int_equal(t->nodes[n].parts[0], -1);
	assert_int_equal(cpuset_next(&t->nodes[n].cpus, 0), first);
	assert_int_equal(t->nodes[n].n_cpus, cpus);
	assert_int_equal(t->nodes[n].n_small, small);
}

static void
a_domain_of_two_kinds_has_a_part_for_each(void **state)
{
	struct host h = of_kinds(TOPO_KIND_PERFORMANCE, TOPO_KIND_EFFICIENCY, 12);
	struct tree *t = tree_new(h.topo, h.ranking, &h.lat, &h.topo->online);

	(void)state;
	assert_int_equal(t->n, 3);
	assert_leaf(t, 0, 0, 8, 0);
	assert_leaf(t, 1, 8, 4, 4);
	assert_int_equal(t->nodes[2].parts[0], 0);
	assert_int_equal(t->nodes[2].parts[1], 1);
	assert_int_equal(t->nodes[2].n_cpus, 12);
	assert_int_equal(t->nodes[2].n_small, 4);
	assert_true(cpuset_equal(&t->nodes[2].whole, &h.topo->online));
	tree_free(t);
	host_fini(&h);
}

static void
performance_cores_come_first_whatever_their_numbers(void **state)
{
	struct host h = of_kinds(TOPO_KIND_EFFICIENCY, TOPO_KIND_PERFORMANCE, 14);
	struct tree *t = tree_new(h.topo, h.ranking, &h.lat, &h.topo->online);

	(void)state;
	assert_int_equal(t->n, 5);
	assert_leaf(t, 0, 8, 4, 0);
	assert_leaf(t, 1, 12, 2, 0);
	assert_leaf(t, 2, 0, 8, 8);
	tree_free(t);
	host_fini(&h);
}

static void
cores_of_one_kind_are_not_parted(void **state)
{
	static const enum topo_kind kinds[] = {
		TOPO_KIND_UNKNOWN, TOPO_KIND_PERFORMANCE, TOPO_KIND_EFFICIENCY};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		struct host h = of_kinds(kinds[i], kinds[i], 14);
		struct tree *t = tree_new(h.topo, h.ranking, &h.lat, &h.topo->online);

		assert_int_equal(t->n, 1);
		assert_int_equal(t->nodes[0].n_small, 0);
		tree_free(t);
		host_fini(&h);
	}
}

/* The other kind is reserved. */
static void
what_is_left_of_one_kind_is_not_parted(void **state)
{
	struct host h = of_kinds(TOPO_KIND_PERFORMANCE, TOPO_KIND_EFFICIENCY, 12);
	struct cpuset usable = CPUSET_NONE;
	struct tree *t;

	(void)state;
	assert_int_equal(cpuset_parse("8-11", &usable), 0);
	t = tree_new(h.topo, h.ranking, &h.lat, &usable);
	assert_int_equal(t->n, 1);
	assert_leaf(t, 0, 8, 4, 0);
	tree_free(t);
	host_fini(&h);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_mean_between_any_two_nodes_is_that_of_their_cores),
		cmocka_unit_test(a_domain_of_two_kinds_has_a_part_for_each),
		cmocka_unit_test(performance_cores_come_first_whatever_their_numbers),
		cmocka_unit_test(cores_of_one_kind_are_not_parted),
		cmocka_unit_test(what_is_left_of_one_kind_is_not_parted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
