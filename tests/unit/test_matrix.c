// SPDX-License-Identifier: MIT
/* The triangle of measured pairs. */
#include "config.h"

#include "topo/matrix.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static struct cpuset
cpus_of(const char *text)
{
	struct cpuset s;

	assert_int_equal(cpuset_parse(text, &s), 0);
	return s;
}

static void
a_new_one_has_no_results(void **state)
{
	struct cpuset cpus = cpus_of("3,7-8,2047");
	struct matrix *m = matrix_new(&cpus);
	struct cpuset back = matrix_cpus(m);

	(void)state;
	assert_int_equal(m->n, 4);
	assert_true(cpuset_equal(&back, &cpus));
	for (size_t i = 0; i < matrix_pairs(m->n); i++) {
		assert_float_equal(m->cells[i].ns, 0, 0);
		assert_int_equal(m->cells[i].visits, 0);
	}
	matrix_free(m);
}

static void
each_pair_has_a_cell_of_its_own_in_any_order(void **state)
{
	struct cpuset cpus = cpuset_below(9);
	struct matrix *m = matrix_new(&cpus);
	float v = 1;

	(void)state;
	for (unsigned int a = 0; a < m->n; a++) {
		for (unsigned int b = 0; b < a; b++)
			matrix_at(m, a, b)->ns = v++;
	}
	v = 1;
	for (unsigned int a = 0; a < m->n; a++) {
		for (unsigned int b = 0; b < a; b++)
			assert_float_equal(matrix_at(m, b, a)->ns, v++, 0);
	}
	assert_int_equal(v, 1 + matrix_pairs(9));
	matrix_free(m);
}

static void
rows_are_found_by_cpu(void **state)
{
	struct cpuset cpus = cpus_of("0,4,5,9,100");
	struct matrix *m = matrix_new(&cpus);

	(void)state;
	assert_int_equal(matrix_index(m, 0), 0);
	assert_int_equal(matrix_index(m, 5), 2);
	assert_int_equal(matrix_index(m, 100), 4);
	assert_int_equal(matrix_index(m, 3), -1);
	assert_int_equal(matrix_index(m, 101), -1);
	matrix_free(m);
}

static void
a_selection_keeps_what_is_known_of_its_cpus(void **state)
{
	struct cpuset cpus = cpus_of("1-4");
	struct cpuset wanted = cpus_of("0,2,4");
	struct matrix *m = matrix_new(&cpus);
	struct matrix *s;

	(void)state;
	*matrix_at(m, 1, 3) = (struct matrix_cell){12.5f, 7, 80}; /* CPUs 2 and 4 */
	s = matrix_select(m, &wanted);
	assert_int_equal(s->n, 3);
	assert_float_equal(matrix_at(s, 2, 1)->ns, 12.5f, 0);
	assert_int_equal(matrix_at(s, 2, 1)->visits, 7);
	assert_int_equal(matrix_at(s, 2, 1)->confidence_pct, 80);
	assert_float_equal(matrix_at(s, 0, 1)->ns, 0, 0);
	matrix_free(s);
	matrix_free(m);
}

static void
none_and_one_are_sizes_too(void **state)
{
	struct cpuset none = CPUSET_NONE;
	struct cpuset one = cpuset_of(5);
	struct matrix *m = matrix_new(&none);
	struct matrix *s = matrix_select(m, &one);

	(void)state;
	assert_int_equal(m->n, 0);
	assert_int_equal(matrix_index(m, 0), -1);
	assert_int_equal(matrix_pairs(0), 0);
	assert_int_equal(matrix_pairs(1), 0);
	assert_int_equal(s->n, 1);
	matrix_free(m);
	matrix_free(s);
	matrix_free(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_one_has_no_results),
		cmocka_unit_test(each_pair_has_a_cell_of_its_own_in_any_order),
		cmocka_unit_test(rows_are_found_by_cpu),
		cmocka_unit_test(a_selection_keeps_what_is_known_of_its_cpus),
		cmocka_unit_test(none_and_one_are_sizes_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
