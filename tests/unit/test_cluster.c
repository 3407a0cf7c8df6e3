// SPDX-License-Identifier: MIT
/*
 * Clusters, and rankings made of them, on made-up latencies: steps and slopes, flat and
 * noisy hosts, few and missing values, and how long it takes.
 */
#include "config.h"

#include "topo/cluster.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "layouts.h"
#include "measured.h"

/* 2 packages of 2 nodes of 4 L3s of 4 cores of 2 threads: 128 CPUs. */
static const struct layout epyc = {2, 2, 4, 4, 2, 12, 32};
static const char *const epyc_tiers = "core 64 | l3 16 | node 4 | package 2 | host 1";

/* The class model's values with some noise, as if they had been measured. */
static struct matrix *
measure(const struct topo *t, double noise, uint64_t seed)
{
	struct matrix *m = matrix_new(&t->online);
	struct matrix *out;

	for (unsigned int a = 0; a < t->n_pus; a++) {
		for (unsigned int b = 0; b < a; b++)
			*matrix_at(m, a, b) = (struct matrix_cell){
				lat_class_ns(t, lat_classes_default(), a, b), 4, 90};
	}
	out = measured_disturb(
		m, &(struct measured_trouble){.seed = seed, .noise = noise});
	matrix_free(m);
	return out;
}

static void
expect(const struct topo *t, const struct matrix *m, const char *tiers, const char *why)
{
	struct ranking *r = measured_rank(t, m);
	auto_free char *got = measured_tiers(r);
	auto_free char *levels = measured_levels(r);

	print_message("%s; %s; %s\n", got, levels, r->trusted ? "trusted" : r->why);
	assert_string_equal(got, tiers);
	assert_true(r->trusted == (why == NULL));
	if (why != NULL)
		assert_string_equal(r->why, why);
	ranking_free(r);
}

static void
measured_steps_confirm_the_tree(void **state)
{
	struct topo *t = hosts_build(&epyc);
	struct matrix *m = measure(t, 0.05, 1);
	struct ranking *r = measured_rank(t, m);

	(void)state;
	expect(t, m, epyc_tiers, NULL);
	for (unsigned int k = 0; k < r->n_levels; k++) {
		const struct ranking_level *l = &r->levels[k];

		assert_int_equal(l->verdict, RANKING_CONFIRMED);
		assert_int_equal(l->n_agree, l->n_groups);
		assert_true(l->within_ns < l->beyond_ns);
		assert_in_range(r->tiers[k].confidence * 100, 40, 90);
	}
	ranking_free(r);
	matrix_free(m);
	topo_free(t);
}

static void
inferred_values_prove_nothing(void **state)
{
	struct topo *t = hosts_build(&epyc);
	struct matrix *m = measure(t, 0.05, 1);

	(void)state;
	for (size_t i = 0; i < matrix_pairs(m->n); i++)
		m->cells[i].visits = 0;
	expect(t, m, epyc_tiers, "nothing is measured");
	matrix_free(m);
	topo_free(t);
}

static void
flat_values_leave_the_tree(void **state)
{
	struct topo *t = hosts_build(&epyc);
	struct matrix *m = measure(t, 0, 1);
	struct matrix *noisy;

	(void)state;
	for (size_t i = 0; i < matrix_pairs(m->n); i++)
		m->cells[i].ns = 50;
	noisy = measured_disturb(
		m, &(struct measured_trouble){.seed = 3, .noise = 0.05});
	expect(t, m, epyc_tiers, "all CPUs are equally near");
	expect(t, noisy, epyc_tiers, "all CPUs are equally near");
	matrix_free(noisy);
	matrix_free(m);
	topo_free(t);
}

static void
mere_noise_leaves_the_tree(void **state)
{
	struct topo *t = hosts_build(&epyc);
	struct matrix *m = measure(t, 0, 1);

	(void)state;
	for (size_t i = 0; i < matrix_pairs(m->n); i++)
		m->cells[i].ns = 50;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct matrix *noisy = measured_disturb(
			m, &(struct measured_trouble){
				   .seed = seed, .noise = 0.8, .outliers = 0.2});

		expect(t, noisy, epyc_tiers, "latencies differ without a clear step");
		matrix_free(noisy);
	}
	matrix_free(m);
	topo_free(t);
}

static void
little_confidence_is_little_trust(void **state)
{
	struct topo *t = hosts_build(&epyc);
	struct matrix *m = measure(t, 0.05, 1);

	(void)state;
	for (size_t i = 0; i < matrix_pairs(m->n); i++)
		m->cells[i].confidence_pct = 30;
	expect(t, m, epyc_tiers, "measured values are too noisy");
	matrix_free(m);
	topo_free(t);
}

/* One CPU of each L3 with one of each other, one pair of each kind inside. */
static void
representatives_are_enough(void **state)
{
	struct topo *t = hosts_build(&epyc);
	struct matrix *m = measure(t, 0.05, 1);

	(void)state;
	for (unsigned int a = 0; a < m->n; a++) {
		for (unsigned int b = 0; b < a; b++) {
			bool first = a % 4 == 0 && b % 4 == 0 && a < 64;
			bool inside = a / 4 == b / 4 && a % 4 == 1;
			bool siblings = a == b + 64 && b % 4 == 0;

			if (!first && !inside && !siblings)
				matrix_at(m, a, b)->visits = 0; /* inferred */
		}
	}
	expect(t, m, epyc_tiers, NULL);
	matrix_free(m);
	topo_free(t);
}

/* The same, on a host whose firmware does not tell of nodes and packages. */
static void
representatives_find_what_the_tree_does_not_know(void **state)
{
	struct topo_facts f = hosts_facts(&epyc);
	struct topo *t = hosts_build(&epyc);
	struct matrix *m = measure(t, 0.05, 1);
	struct topo *poor = NULL;

	(void)state;
	for (unsigned int i = 0; i < f.n_cpus; i++) {
		f.cpus[i].node_id = 0;
		f.cpus[i].package_id = 0;
	}
	assert_int_equal(topo_build(&f, &poor, NULL), 0);
	for (unsigned int a = 0; a < m->n; a++) {
		for (unsigned int b = 0; b < a; b++) {
			if (a / 4 != b / 4 && a != b + 64 &&
				!(a % 4 == 0 && b % 4 == 0 && a < 64))
				matrix_at(m, a, b)->visits = 0;
		}
	}
	expect(poor, m, "core 64 | l3 16 | cluster 4 | cluster 2 | host 1", NULL);
	matrix_free(m);
	topo_free(poor);
	topo_free(t);
	topo_facts_fini(&f);
}

static void
a_level_of_which_nothing_is_known_is_no_ground(void **state)
{
	struct topo *t = hosts_build(&epyc);
	struct matrix *m = measure(t, 0.05, 1);

	(void)state;
	for (unsigned int a = 0; a < m->n; a++) {
		for (unsigned int b = 0; b < a; b++) {
			if (t->pus[a].package != t->pus[b].package)
				matrix_at(m, a, b)->ns = 0;
		}
	}
	expect(t, m, epyc_tiers, "too little is measured");
	matrix_free(m);
	topo_free(t);
}

static void
cpus_without_results_follow_the_tree(void **state)
{
	struct topo *t = hosts_build(&epyc);
	struct matrix *m = measure(t, 0.05, 1);
	struct cpuset some = cpuset_below(100);
	struct matrix *part = matrix_select(m, &some);
	struct cpuset few = cpuset_below(50);
	struct matrix *less = matrix_select(m, &few);

	(void)state;
	expect(t, part, epyc_tiers, NULL);
	expect(t, less, epyc_tiers, "too little is measured");
	matrix_free(less);
	matrix_free(part);
	matrix_free(m);
	topo_free(t);
}

static void
a_level_that_shows_nothing_stays(void **state)
{
	struct topo *t = hosts_build(&epyc);
	struct matrix *m = measure(t, 0.05, 1);
	struct ranking *r;

	(void)state;
	for (unsigned int a = 0; a < m->n; a++) {
		for (unsigned int b = 0; b < a; b++) {
			if (t->pus[a].package == t->pus[b].package &&
				t->pus[a].node != t->pus[b].node)
				matrix_at(m, a, b)->ns *= 95.0f / 120.0f;
		}
	}
	expect(t, m, epyc_tiers, NULL);
	r = measured_rank(t, m);
	assert_int_equal(r->levels[2].verdict, RANKING_UNSEEN);
	assert_float_equal(r->tiers[2].confidence, 1, 0);
	ranking_free(r);
	matrix_free(m);
	topo_free(t);
}

static void
distrust_keeps_the_findings_and_takes_the_tree(void **state)
{
	const struct layout wrong = {2, 2, 2, 8, 2, 12, 32};
	struct topo *t = hosts_build(&epyc);
	struct topo *other = hosts_build(&wrong);
	struct matrix *m = measure(t, 0.05, 1);
	float *ns = lat_class_matrix(other, lat_classes_default());
	struct lat_view lat = {ns, other->n_pus};
	struct ranking *r = measured_rank(other, m);

	(void)state;
	expect(other, m, "core 64 | cluster 16 | l3 8 | node 4 | package 2 | host 1",
		NULL);
	assert_int_equal(r->levels[1].verdict, RANKING_SPLIT);
	r = ranking_distrust(r, other, &lat, "inside a virtual machine");
	assert_false(r->trusted);
	assert_string_equal(r->why, "inside a virtual machine");
	assert_int_equal(r->n_levels, 4);
	assert_int_equal(r->levels[1].verdict, RANKING_SPLIT);
	assert_int_equal(ranking_tier_named(r, "cluster"), -1);
	ranking_free(r);
	free(ns);
	matrix_free(m);
	topo_free(other);
	topo_free(t);
}

static void
one_and_two_cpus_are_hosts_too(void **state)
{
	for (unsigned int threads = 1; threads <= 2; threads++) {
		const struct layout l = {1, 1, 1, 1, threads, 0, 0};
		struct topo *t = hosts_build(&l);
		struct matrix *m = measure(t, 0, 1);

		(void)state;
		expect(t, m, "host 1",
			threads == 1 ? "nothing is measured"
				     : "all CPUs are equally near");
		matrix_free(m);
		topo_free(t);
	}
}

static void
a_thousand_cpus_take_well_under_a_second(void **state)
{
	static const struct layout sizes[] = {{2, 1, 2, 8, 2, 12, 32},
		{2, 2, 4, 8, 2, 12, 32}, {4, 4, 4, 8, 2, 12, 32}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct topo *t = hosts_build(&sizes[i]);
		struct matrix *m = measure(t, 0.1, 1);
		float *ns = lat_measured_matrix(t, lat_classes_default(), m);
		struct lat_view lat = {ns, t->n_pus};
		clock_t begin = clock();
		struct ranking *r = ranking_from_matrix(t, m, &lat);
		double ms = 1e3 * (double)(clock() - begin) / CLOCKS_PER_SEC;

		print_message("%u CPUs: %.1f ms\n", t->n_pus, ms);
		assert_true(r->trusted);
		assert_true(ms < 5000); /* also with sanitizers, on a busy machine */
		ranking_free(r);
		free(ns);
		matrix_free(m);
		topo_free(t);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(measured_steps_confirm_the_tree),
		cmocka_unit_test(inferred_values_prove_nothing),
		cmocka_unit_test(flat_values_leave_the_tree),
		cmocka_unit_test(mere_noise_leaves_the_tree),
		cmocka_unit_test(little_confidence_is_little_trust),
		cmocka_unit_test(representatives_are_enough),
		cmocka_unit_test(representatives_find_what_the_tree_does_not_know),
		cmocka_unit_test(a_level_of_which_nothing_is_known_is_no_ground),
		cmocka_unit_test(cpus_without_results_follow_the_tree),
		cmocka_unit_test(a_level_that_shows_nothing_stays),
		cmocka_unit_test(distrust_keeps_the_findings_and_takes_the_tree),
		cmocka_unit_test(one_and_two_cpus_are_hosts_too),
		cmocka_unit_test(a_thousand_cpus_take_well_under_a_second),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
