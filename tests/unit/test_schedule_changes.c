// SPDX-License-Identifier: MIT
/* A schedule whose CPUs are busy, rest, fail, go and come. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "schedule_world.h"

static float
never(const struct world *w, unsigned int a, unsigned int b)
{
	(void)w;
	(void)a;
	(void)b;
	return 0;
}

/* CPU 5 is never left alone. */
static float
not_with_5(const struct world *w, unsigned int a, unsigned int b)
{
	return a == 5 || b == 5 ? 0 : by_class(w, a, b);
}

static void
pairs_that_are_out_are_given_to_nobody_else(void **state)
{
	struct world w = start(&chiplets, NULL, false);
	struct cpuset busy = CPUSET_NONE;
	unsigned int a[32];
	unsigned int b[32];
	unsigned int n = 0;

	(void)state;
	while (n < 32 && schedule_next(w.s, &busy, &nobody, &a[n], &b[n])) {
		assert_false(cpuset_has(&busy, a[n]) || cpuset_has(&busy, b[n]));
		cpuset_add(&busy, a[n]);
		cpuset_add(&busy, b[n]);
		n++;
	}
	assert_true(n >= 16);
	/* and with all CPUs allowed, still none of them */
	for (unsigned int i = 0; i < 300; i++) {
		unsigned int x;
		unsigned int y;

		if (!schedule_next(w.s, &nobody, &nobody, &x, &y))
			break;
		for (unsigned int k = 0; k < n; k++)
			assert_false(
				(a[k] == x && b[k] == y) || (a[k] == y && b[k] == x));
	}
	end(&w);
}

static void
resting_cpus_are_left_alone(void **state)
{
	struct world w = start(&chiplets, NULL, false);
	struct cpuset resting = cpuset_below(32);
	unsigned int a;
	unsigned int b;

	(void)state;
	for (unsigned int i = 0; i < 10000; i++) {
		if (!schedule_next(w.s, &resting, &nobody, &a, &b))
			break;
		assert_true(a >= 32 && b >= 32);
		schedule_result(w.s, a, b, by_class(&w, a, b));
	}
	assert_false(schedule_done(w.s));
	finish(&w, by_class);
	check_values(&w, by_class);
	end(&w);
}

static void
avoided_cpus_come_last(void **state)
{
	struct world w = start(&chiplets, NULL, false);
	struct cpuset avoid = cpuset_below(32); /* one thread of each core */
	unsigned int others = 0;
	unsigned int avoided = 0;

	(void)state;
	while (!schedule_done(w.s)) {
		unsigned int a;
		unsigned int b;

		assert_true(schedule_next(w.s, &nobody, &avoid, &a, &b));
		if (a >= 32 && b >= 32) {
			others++;
			schedule_result(w.s, a, b, by_class(&w, a, b));
			continue;
		}
		if (avoided == 0)
			assert_true(others >= 36 * SCHEDULE_VISITS);
		avoided++;
		/* only pairs of siblings cannot do without */
		assert_int_equal(
			topo_pu_of(w.topo, a)->core, topo_pu_of(w.topo, b)->core);
		schedule_result(w.s, a, b, by_class(&w, a, b));
	}
	assert_true(avoided > 0);
	check_values(&w, by_class);
	end(&w);
}

static void
pairs_without_a_result_are_given_up(void **state)
{
	struct world w = start(&chiplets, NULL, false);
	struct world x = start(&chiplets, NULL, false);
	struct matrix *m;

	(void)state;
	finish(&w, not_with_5);
	assert_true(w.of_cpu[5] > 0);
	check_values(&w, by_class);
	finish(&x, never);
	m = schedule_matrix(x.s);
	for (size_t i = 0; i < matrix_pairs(64); i++)
		assert_true(m->cells[i].ns == 0 && m->cells[i].confidence_pct == 0);
	matrix_free(m);
	end(&w);
	end(&x);
}

static void
a_cpu_that_has_gone_is_not_visited(void **state)
{
	(void)state;
	for (unsigned int when = 0; when < 200; when += 7) {
		struct world w = start(&chiplets, NULL, false);
		unsigned int a;
		unsigned int b;

		visit(&w, by_class, when);
		assert_true(schedule_next(w.s, &nobody, &nobody, &a, &b));
		schedule_drop_cpu(w.s, a);
		schedule_drop_cpu(w.s, a);
		schedule_drop_cpu(w.s, 1000);
		schedule_result(w.s, a, b, 1); /* late */
		w.of_cpu[a] = 0;
		finish(&w, by_class);
		assert_int_equal(w.of_cpu[a], 0);
		end(&w);
	}
}

static void
all_cpus_may_go(void **state)
{
	struct world w = start(&chiplets, NULL, true);

	(void)state;
	visit(&w, by_class, 500);
	for (unsigned int cpu = 0; cpu < 63; cpu++)
		schedule_drop_cpu(w.s, cpu);
	assert_true(schedule_done(w.s));
	end(&w);
}

static void
exhaustive_is_complete_also_when_a_cpu_goes(void **state)
{
	struct world w = start(&chiplets, NULL, true);

	(void)state;
	visit(&w, by_class, 700);
	schedule_drop_cpu(w.s, 3);
	finish(&w, by_class);
	for (unsigned int i = 0; i < 64; i++)
		for (unsigned int j = 0; j < i; j++)
			if (i != 3 && j != 3)
				assert_int_equal(w.of_pair[i][j], SCHEDULE_VISITS);
	end(&w);
}

static void
what_is_known_is_not_measured_again(void **state)
{
	struct world w = start(&chiplets, NULL, false);
	struct matrix *known;
	struct world again;

	(void)state;
	finish(&w, by_class);
	known = schedule_matrix(w.s);
	again = start(&chiplets, known, false);
	assert_true(schedule_done(again.s));
	check_values(&again, by_class);
	end(&again);
	matrix_free(known);
	end(&w);
}

static void
only_what_is_new_is_measured(void **state)
{
	struct world w = start(&chiplets, NULL, false);
	struct cpuset old = w.topo->online;
	struct matrix *all;
	struct matrix *known;
	struct world again;

	(void)state;
	finish(&w, by_class);
	all = schedule_matrix(w.s);
	cpuset_remove(&old, 9);
	cpuset_remove(&old, 41); /* the core of 9 */
	known = matrix_select(all, &old);
	again = start(&chiplets, known, false);
	finish(&again, by_class);
	check_values(&again, by_class);
	assert_true(again.of_cpu[9] + again.of_cpu[41] >= 8 * SCHEDULE_VISITS);
	/* some blocks had been known by a pair of that core */
	assert_true(again.visits <= w.visits / 4);
	matrix_free(known);
	matrix_free(all);
	end(&again);
	end(&w);
}

static void
results_nobody_asked_for_are_ignored(void **state)
{
	struct world w = start(&chiplets, NULL, false);
	struct schedule_progress p;

	(void)state;
	schedule_result(w.s, 0, 1, 5);
	schedule_result(w.s, 0, 0, 5);
	schedule_result(w.s, 0, 2000, 5);
	schedule_progress(w.s, &p);
	assert_int_equal(p.visits, 0);
	assert_int_equal(p.pairs, 0);
	assert_int_equal(p.phase, SCHEDULE_REPRESENTATIVES);
	end(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pairs_that_are_out_are_given_to_nobody_else),
		cmocka_unit_test(resting_cpus_are_left_alone),
		cmocka_unit_test(avoided_cpus_come_last),
		cmocka_unit_test(pairs_without_a_result_are_given_up),
		cmocka_unit_test(a_cpu_that_has_gone_is_not_visited),
		cmocka_unit_test(all_cpus_may_go),
		cmocka_unit_test(exhaustive_is_complete_also_when_a_cpu_goes),
		cmocka_unit_test(what_is_known_is_not_measured_again),
		cmocka_unit_test(only_what_is_new_is_measured),
		cmocka_unit_test(results_nobody_asked_for_are_ignored),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
