// SPDX-License-Identifier: MIT
/* Which pairs are visited and in what order, without noise and without time. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "layouts.h"
#include "probe/schedule.h"

static const struct layout chiplets = {2, 2, 2, 4, 2, 12, 32}; /* 64 CPUs */
static const struct layout one_l3 = {1, 1, 1, 16, 1, 0, 0};
static const struct layout tiny = {1, 1, 1, 2, 1, 0, 0};
static const struct layout single = {1, 1, 1, 1, 1, 0, 0};

static const struct cpuset nobody;

/* A schedule of a host, and what has come of it. */
struct world {
	struct topo *topo;
	struct schedule *s;
	unsigned int visits;
	unsigned int of_cpu[CPUSET_CAP];
	unsigned int of_pair[64][64];
	unsigned int last[64][64]; /* number of the visit */
	unsigned int gap;	   /* the least between two to the same pair */
};

typedef float latency_fn(const struct world *w, unsigned int a, unsigned int b);

static struct world
start(const struct layout *l, const struct matrix *known, bool exhaustive)
{
	struct world w = {.topo = hosts_build(l), .gap = 1000000};
	const struct schedule_options o = {
		.topo = w.topo,
		.cpus = w.topo->online,
		.known = known,
		.exhaustive = exhaustive,
	};

	w.s = schedule_new(&o);
	return w;
}

static void
end(struct world *w)
{
	schedule_free(w->s);
	topo_free(w->topo);
}

static float
by_class(const struct world *w, unsigned int a, unsigned int b)
{
	const struct topo_pu *x = topo_pu_of(w->topo, a);
	const struct topo_pu *y = topo_pu_of(w->topo, b);

	if (x->core == y->core)
		return 8;
	if (x->l3 == y->l3)
		return 25;
	return x->node == y->node ? 90 : x->package == y->package ? 120 : 200;
}

/* A ring: what is far in number is far. */
static float
by_number(const struct world *w, unsigned int a, unsigned int b)
{
	unsigned int d = a > b ? a - b : b - a;

	(void)w;
	return 40 + 4 * (float)(d < 8 ? d : 16 - d);
}

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
note(struct world *w, unsigned int a, unsigned int b)
{
	unsigned int high = a > b ? a : b;
	unsigned int low = a > b ? b : a;

	assert_true(high != low && cpuset_has(&w->topo->online, high) &&
		    cpuset_has(&w->topo->online, low));
	w->visits++;
	w->of_cpu[a]++;
	w->of_cpu[b]++;
	w->of_pair[high][low]++;
	if (w->last[high][low] > 0 && w->visits - w->last[high][low] < w->gap)
		w->gap = w->visits - w->last[high][low];
	w->last[high][low] = w->visits;
}

static void
visit(struct world *w, latency_fn *latency, unsigned int n)
{
	while (n-- > 0 && !schedule_done(w->s)) {
		unsigned int a;
		unsigned int b;

		assert_true(schedule_next(w->s, &nobody, &nobody, &a, &b));
		note(w, a, b);
		schedule_result(w->s, a, b, latency(w, a, b));
	}
}

static void
finish(struct world *w, latency_fn *latency)
{
	unsigned int a;
	unsigned int b;

	visit(w, latency, 100000);
	assert_true(schedule_done(w->s));
	assert_false(schedule_next(w->s, &nobody, &nobody, &a, &b));
}

static unsigned int
pairs_visited(const struct world *w)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < 64; i++)
		for (unsigned int j = 0; j < i; j++)
			n += w->of_pair[i][j] > 0;
	return n;
}

static void
check_values(const struct world *w, latency_fn *latency)
{
	struct matrix *m = schedule_matrix(w->s);

	for (unsigned int i = 1; i < m->n; i++) {
		for (unsigned int j = 0; j < i; j++) {
			float want = latency(w, m->cpus[i], m->cpus[j]);
			const struct matrix_cell *cell = matrix_at(m, i, j);

			if (cell->ns < 0.999f * want || cell->ns > 1.001f * want)
				fail_msg("CPUs %u and %u: %.1f, not %.1f", i, j,
					(double)cell->ns, (double)want);
			assert_true(cell->confidence_pct > 0);
		}
	}
	matrix_free(m);
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
		cmocka_unit_test(inferred_values_are_worth_less),
		cmocka_unit_test(exhaustive_means_every_pair_of_cpus),
		cmocka_unit_test(the_cpus_share_the_work),
		cmocka_unit_test(small_hosts_are_no_exception),
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
		cmocka_unit_test(progress_ends_where_it_said),
		cmocka_unit_test(the_same_results_give_the_same_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
