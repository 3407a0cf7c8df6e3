// SPDX-License-Identifier: MIT
/* Latencies by class: what two PUs share decides, the firmware's distances refine it.
 */
#include "config.h"

#include "topo/lat.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "layouts.h"

static const struct lat_classes classes = {1, 2, 3, 10, 20, 100};

static void
the_nearest_thing_shared_decides(void **state)
{
	const struct layout l = {2, 2, 2, 2, 2, 12, 32};
	struct topo *t =
		hosts_build(&l); /* 16 cores; L3s of 2, nodes of 4, packages of 8 */

	(void)state;
	assert_float_equal(lat_class_ns(t, &classes, 0, 16), 1, 0);
	assert_float_equal(lat_class_ns(t, &classes, 0, 1), 3, 0);
	assert_float_equal(lat_class_ns(t, &classes, 0, 2), 10, 0);
	assert_float_equal(lat_class_ns(t, &classes, 0, 4), 20, 0);
	assert_float_equal(lat_class_ns(t, &classes, 0, 8), 100, 0);
	topo_free(t);
}

static void
a_shared_l2_is_between_core_and_l3(void **state)
{
	const struct layout l = {1, 1, 1, 4, 1, 0, 0};
	struct topo_facts f = hosts_facts(&l);
	struct topo *t = NULL;

	(void)state;
	f.cpus[1].l2_key = f.cpus[0].l2_key;
	assert_int_equal(topo_build(&f, &t, NULL), 0);
	assert_float_equal(lat_class_ns(t, &classes, 0, 1), 2, 0);
	assert_float_equal(lat_class_ns(t, &classes, 0, 2), 3, 0);
	topo_free(t);
	topo_facts_fini(&f);
}

static void
an_l3_over_several_nodes_is_slower_between_them(void **state)
{
	const struct layout l = {2, 2, 0, 4, 1, 12, 21};
	struct topo *t = hosts_build(&l);

	(void)state;
	assert_float_equal(lat_class_ns(t, &classes, 0, 1), 3, 0);
	assert_float_equal(lat_class_ns(t, &classes, 0, 4), 3.6, 0.001);
	assert_float_equal(lat_class_ns(t, &classes, 0, 8), 100, 0);
	topo_free(t);
}

static void
farther_nodes_take_longer_but_not_without_bound(void **state)
{
	const struct layout l = {4, 1, 1, 1, 1, 12, 20};
	struct topo_facts f = hosts_facts(&l);
	struct topo *t = NULL;

	(void)state;
	f.distances[0 * 4 + 2] = 30; /* one way only: the longer one counts */
	f.distances[0 * 4 + 3] = 65535;
	f.distances[1 * 4 + 2] = f.distances[2 * 4 + 1] = 0;
	assert_int_equal(topo_build(&f, &t, NULL), 0);
	assert_float_equal(lat_class_ns(t, &classes, 0, 1), 100, 0);
	assert_float_equal(lat_class_ns(t, &classes, 0, 2), 150, 0.001);
	assert_float_equal(lat_class_ns(t, &classes, 2, 0), 150, 0.001);
	assert_float_equal(lat_class_ns(t, &classes, 0, 3), 400, 0.001);
	assert_float_equal(lat_class_ns(t, &classes, 1, 2), 100, 0);
	topo_free(t);
	topo_facts_fini(&f);
}

static void
packages_of_one_node_are_as_far_as_nodes_of_one_package(void **state)
{
	const struct layout l = {2, 1, 1, 2, 1, 0, 0};
	struct topo_facts f = hosts_facts(&l);
	struct topo *t = NULL;

	(void)state;
	for (unsigned int i = 0; i < f.n_cpus; i++)
		f.cpus[i].node_id = 0;
	assert_int_equal(topo_build(&f, &t, NULL), 0);
	assert_float_equal(lat_class_ns(t, &classes, 0, 2), 20, 0);
	topo_free(t);
	topo_facts_fini(&f);
}

static void
packages_without_nodes_are_remote(void **state)
{
	const struct layout l = {2, 1, 1, 2, 1, 0, 0};
	struct topo_facts f = hosts_facts(&l);
	struct topo *t = NULL;

	(void)state;
	for (unsigned int i = 0; i < f.n_cpus; i++)
		f.cpus[i].node_id = TOPO_NONE;
	assert_int_equal(topo_build(&f, &t, NULL), 0);
	assert_float_equal(lat_class_ns(t, &classes, 0, 1), 3, 0);
	assert_float_equal(lat_class_ns(t, &classes, 0, 2), 100, 0);
	topo_free(t);
	topo_facts_fini(&f);
}

static void
what_is_unknown_keeps_nobody_apart(void **state)
{
	const struct layout l = {1, 1, 1, 4, 1, 0, 0};
	struct topo_facts f = hosts_facts(&l);
	struct topo *t = NULL;

	(void)state;
	for (unsigned int i = 0; i < f.n_cpus; i++) {
		f.cpus[i].l3_key = TOPO_NONE;
		f.cpus[i].package_id = TOPO_NONE;
		f.cpus[i].node_id = TOPO_NONE;
	}
	f.cpus[3].node_id = 0;
	assert_int_equal(topo_build(&f, &t, NULL), 0);
	assert_float_equal(lat_class_ns(t, &classes, 0, 1), 10, 0);
	assert_float_equal(lat_class_ns(t, &classes, 0, 3), 100, 0);
	topo_free(t);
	topo_facts_fini(&f);
}

static void
the_matrix_is_symmetric_with_a_zero_diagonal(void **state)
{
	const struct layout l = {2, 2, 2, 2, 2, 12, 32};
	const struct lat_classes *typical = lat_classes_default();
	struct topo *t = hosts_build(&l);
	float *ns = lat_class_matrix(t, typical);
	const struct lat_view lat = {ns, t->n_pus};

	(void)state;
	for (unsigned int a = 0; a < lat.n; a++) {
		for (unsigned int b = 0; b < lat.n; b++) {
			float v = a == b ? 0 : lat_class_ns(t, typical, a, b);

			assert_float_equal(lat_ns(&lat, a, b), v, 0);
			assert_float_equal(lat_ns(&lat, b, a), v, 0);
		}
	}
	free(ns);
	topo_free(t);
}

static void
measured_pairs_are_taken_and_others_scaled_like_them(void **state)
{
	const struct layout l = {2, 1, 1, 2, 2, 12, 32}; /* cores 0 1 | 2 3 */
	struct topo *t = hosts_build(&l);
	struct matrix *m = matrix_new(&t->online);
	struct lat_view lat = {NULL, t->n_pus};
	float *ns;

	(void)state;
	*matrix_at(m, 0, 4) = (struct matrix_cell){2, 4, 100};	 /* a core: doubled */
	*matrix_at(m, 0, 2) = (struct matrix_cell){150, 4, 100}; /* remote: half more */
	*matrix_at(m, 1, 3) =
		(struct matrix_cell){150, 0, 50}; /* inferred: taken too */
	ns = lat_measured_matrix(t, &classes, m);
	lat.ns = ns;
	assert_float_equal(lat_ns(&lat, 0, 4), 2, 0);
	assert_float_equal(lat_ns(&lat, 2, 0), 150, 0);
	assert_float_equal(lat_ns(&lat, 1, 3), 150, 0);
	assert_float_equal(lat_ns(&lat, 1, 5), 2, 0.05);
	assert_float_equal(lat_ns(&lat, 7, 0), 150, 3);
	/* no L3 pair was measured: as the nearest class that was */
	assert_float_equal(lat_ns(&lat, 0, 1), 6, 0.15);
	for (unsigned int i = 0; i < lat.n; i++)
		assert_float_equal(lat_ns(&lat, i, i), 0, 0);
	free(ns);
	matrix_free(m);
	topo_free(t);
}

static void
without_results_the_class_model_stands(void **state)
{
	const struct layout l = {2, 2, 2, 2, 2, 12, 32};
	struct topo *t = hosts_build(&l);
	struct cpuset others = cpuset_of(2000);
	struct matrix *m = matrix_new(&others);
	float *model = lat_class_matrix(t, &classes);
	float *ns = lat_measured_matrix(t, &classes, m);

	(void)state;
	for (size_t i = 0; i < (size_t)t->n_pus * t->n_pus; i++)
		assert_float_equal(ns[i], model[i], 0);
	free(model);
	free(ns);
	matrix_free(m);
	topo_free(t);
}

static void
neighbours_go_from_near_to_far_and_by_number(void **state)
{
	const float ns[16] = {0, 9, 3, 9, 9, 0, 1, 2, 3, 1, 0, 5, 9, 2, 5, 0};
	const struct lat_view lat = {ns, 4};
	const unsigned int of_0[] = {2, 1, 3};
	const unsigned int of_3[] = {1, 2, 0};
	unsigned int out[3];

	(void)state;
	lat_neighbours(&lat, 0, out);
	assert_memory_equal(out, of_0, sizeof(out));
	lat_neighbours(&lat, 3, out);
	assert_memory_equal(out, of_3, sizeof(out));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_nearest_thing_shared_decides),
		cmocka_unit_test(a_shared_l2_is_between_core_and_l3),
		cmocka_unit_test(an_l3_over_several_nodes_is_slower_between_them),
		cmocka_unit_test(farther_nodes_take_longer_but_not_without_bound),
		cmocka_unit_test(
			packages_of_one_node_are_as_far_as_nodes_of_one_package),
		cmocka_unit_test(packages_without_nodes_are_remote),
		cmocka_unit_test(what_is_unknown_keeps_nobody_apart),
		cmocka_unit_test(the_matrix_is_symmetric_with_a_zero_diagonal),
		cmocka_unit_test(measured_pairs_are_taken_and_others_scaled_like_them),
		cmocka_unit_test(without_results_the_class_model_stands),
		cmocka_unit_test(neighbours_go_from_near_to_far_and_by_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
