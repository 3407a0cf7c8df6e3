// SPDX-License-Identifier: MIT
/* Which pairs are visited and in what order, without noise and without time. */
#include "config.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "schedule_world.h"

static const struct layout one_l3 = {1, 1, 1, 16, 1, 0, 0};
static const struct layout tiny = {1, 1, 1, 2, 1, 0, 0};
static const struct layout single = {1, 1, 1, 1, 1, 0, 0};

/* A ring: what is far in number is far. */
static float
by_number(const struct world *w, unsigned int a, unsigned int b)
{
	unsigned int d = a > b ? a - b : b - a;

	(void)w;
	return 40 + 4 * (float)(d < 8 ? d : 16 - d);
}

/* A mesh: what is in the middle is near to all. */
static float
by_place(const struct world *w, unsigned int a, unsigned int b)
{
	(void)w;
	return 40 + 4 * (float)(a % 8) + 4 * (float)(b % 8);
}

static void
one_pair_of_each_block_tells_of_all(void **state)
{
	struct world w = start(&chiplets, NULL, false);

	(void)state;
	/* 8 groups: 28 blocks between them, 8 inside, 8 of siblings */
	visit(&w, by_class, 44);
	assert_int_equal(pairs_visited(&w), 44);
	check_values(&w, by_class);
	end(&w);
}

static void
each_class_has_its_turn_early(void **state)
{
	struct world w = start(&chiplets, NULL, false);

	(void)state;
	/* siblings, L3, node, package, and two distances of other packages are one */
	visit(&w, by_class, 5);
	check_values(&w, by_class);
	end(&w);
}

static void
pairs_are_visited_four_times_and_not_in_a_row(void **state)
{
	struct world w = start(&chiplets, NULL, false);

	(void)state;
	finish(&w, by_class);
	assert_in_range(w.gap, 15, 1000);
	for (unsigned int i = 0; i < 64; i++)
		for (unsigned int j = 0; j < i; j++)
			assert_true(w.of_pair[i][j] == 0 || w.of_pair[i][j] == 4);
	check_values(&w, by_class);
	end(&w);
}

static void
what_agrees_is_not_measured_in_full(void **state)
{
	struct world w = start(&chiplets, NULL, false);

	(void)state;
	finish(&w, by_class);
	assert_true(pairs_visited(&w) >= 2 * 44);
	assert_true(pairs_visited(&w) <= 3 * 44);
	end(&w);
}

static void
what_disagrees_is_measured_in_full(void **state)
{
	struct world w = start(&one_l3, NULL, false);
	struct matrix *m;

	(void)state;
	finish(&w, by_number);
	assert_int_equal(pairs_visited(&w), matrix_pairs(16));
	check_values(&w, by_number);
	m = schedule_matrix(w.s);
	for (size_t i = 0; i < matrix_pairs(16); i++) {
		assert_int_equal(m->cells[i].visits, SCHEDULE_VISITS);
		assert_int_equal(m->cells[i].confidence_pct, 100);
	}
	matrix_free(m);
	end(&w);
}

static void
pairs_of_a_core_tell_of_its_other_pairs(void **state)
{
	static const struct layout mesh = {1, 1, 1, 64, 1, 0, 0};
	struct world w = start(&mesh, NULL, false);
	double off = 0;
	struct matrix *m;

	(void)state;
	visit(&w, by_place, 600);
	m = schedule_matrix(w.s);
	for (unsigned int i = 1; i < 64; i++) {
		for (unsigned int j = 0; j < i; j++) {
			float want = by_place(&w, i, j);

			off += fabs((double)(matrix_at(m, i, j)->ns / want - 1));
		}
	}
	/* the median of all is 0.11 off */
	assert_true(off / (double)matrix_pairs(64) < 0.02);
	/* and new pairs come before more visits to the others */
	assert_in_range(pairs_visited(&w), 500, 600);
	matrix_free(m);
	end(&w);
}

static void
inferred_values_are_worth_less(void **state)
{
	struct world w = start(&chiplets, NULL, false);
	struct matrix *m;
	unsigned int inferred = 0;

	(void)state;
	finish(&w, by_class);
	m = schedule_matrix(w.s);
	for (size_t i = 0; i < matrix_pairs(64); i++) {
		const struct matrix_cell *cell = &m->cells[i];

		if (cell->visits == 0)
			inferred++;
		assert_true(cell->visits == 0 ? cell->confidence_pct <= 90
					      : cell->confidence_pct == 100);
	}
	assert_int_equal(inferred, matrix_pairs(64) - pairs_visited(&w));
	matrix_free(m);
	end(&w);
}

static void
exhaustive_means_every_pair_of_cpus(void **state)
{
	struct world w = start(&chiplets, NULL, true);

	(void)state;
	finish(&w, by_class);
	assert_int_equal(pairs_visited(&w), matrix_pairs(64));
	for (unsigned int i = 0; i < 64; i++)
		for (unsigned int j = 0; j < i; j++)
			assert_int_equal(w.of_pair[i][j], SCHEDULE_VISITS);
	end(&w);
}

static void
the_cpus_share_the_work(void **state)
{
	struct world w = start(&chiplets, NULL, false);
	unsigned int most = 0;

	(void)state;
	finish(&w, by_class);
	for (unsigned int cpu = 0; cpu < 64; cpu++)
		most = w.of_cpu[cpu] > most ? w.of_cpu[cpu] : most;
	assert_true(most <= 2 * (2 * w.visits / 64));
	end(&w);
}

static void
small_hosts_are_no_exception(void **state)
{
	struct world one = start(&single, NULL, false);
	struct world two = start(&tiny, NULL, false);
	struct schedule_progress p;

	(void)state;
	assert_true(schedule_done(one.s));
	finish(&two, by_class);
	assert_int_equal(two.visits, SCHEDULE_VISITS);
	schedule_progress(two.s, &p);
	assert_int_equal(p.phase, SCHEDULE_DONE);
	assert_int_equal(p.visits, SCHEDULE_VISITS);
	assert_int_equal(p.visits_total, SCHEDULE_VISITS);
	assert_int_equal(p.pairs, 1);
	assert_int_equal(p.pairs_total, 1);
	end(&one);
	end(&two);
}

static void
progress_ends_where_it_said(void **state)
{
	struct world w = start(&chiplets, NULL, false);
	struct schedule_progress p;
	unsigned int total;

	(void)state;
	visit(&w, by_class, 100);
	schedule_progress(w.s, &p);
	total = p.visits_total;
	assert_int_equal(p.visits, 100);
	assert_int_equal(p.phase, SCHEDULE_VERIFY);
	finish(&w, by_class);
	schedule_progress(w.s, &p);
	assert_int_equal(p.visits, w.visits);
	assert_int_equal(p.visits_total, w.visits);
	assert_int_equal(total, w.visits);
	assert_int_equal(p.pairs, pairs_visited(&w));
	end(&w);
}

static void
the_same_results_give_the_same_order(void **state)
{
	struct world w = start(&chiplets, NULL, false);
	struct world x = start(&chiplets, NULL, false);

	(void)state;
	for (unsigned int i = 0; i < 400; i++) {
		unsigned int a[2];
		unsigned int b[2];

		assert_true(schedule_next(w.s, &nobody, &nobody, &a[0], &b[0]));
		assert_true(schedule_next(x.s, &nobody, &nobody, &a[1], &b[1]));
		assert_true(a[0] == a[1] && b[0] == b[1]);
		schedule_result(w.s, a[0], b[0], by_class(&w, a[0], b[0]));
		schedule_result(x.s, a[1], b[1], by_class(&x, a[1], b[1]));
		/* looking changes nothing */
		matrix_free(schedule_matrix(w.s));
	}
	end(&w);
	end(&x);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_pair_of_each_block_tells_of_all),
		cmocka_unit_test(each_class_has_its_turn_early),
		cmocka_unit_test(pairs_are_visited_four_times_and_not_in_a_row),
		cmocka_unit_test(what_agrees_is_not_measured_in_full),
		cmocka_unit_test(what_disagrees_is_measured_in_full),
		cmocka_unit_test(pairs_of_a_core_tell_of_its_other_pairs),
		cmocka_unit_test(inferred_values_are_worth_less),
		cmocka_unit_test(exhaustive_means_every_pair_of_cpus),
		cmocka_unit_test(the_cpus_share_the_work),
		cmocka_unit_test(small_hosts_are_no_exception),
		cmocka_unit_test(progress_ends_where_it_said),
		cmocka_unit_test(the_same_results_give_the_same_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
