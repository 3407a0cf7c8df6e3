// SPDX-License-Identifier: MIT
/* Two kinds of cores: found and confirmed on hybrid hosts, and nowhere else. */
#include "config.h"

#include "topo/alike.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "measured.h"

#define N_MAX 160u
#define SEEDS 50u

/* A made-up host: latency of two different CPUs, nanoseconds. */
typedef float latency_fn(unsigned int a, unsigned int b);

/* Eight cores of two threads, the last one nearest to all; two clusters of four slow
 * cores that are slowest inside. Source: the shape of an i9-12900K. */
static float
hybrid(unsigned int a, unsigned int b)
{
	unsigned int slow = (a >= 16 ? 1u : 0u) + (b >= 16 ? 1u : 0u);
	unsigned int low = a < b ? a / 2 : b / 2;
	unsigned int high = a < b ? b / 2 : a / 2;

	if (slow == 2)
		return a / 4 == b / 4 ? 50 : 44;
	if (slow == 1)
		return 40 - 0.4f * (float)low - (low == 7 ? 5.0f : 0.0f);
	if (low == high)
		return 4.3f;
	return 37.7f - 0.35f * (float)(low + high) - (high == 7 ? 5.0f : 0.0f);
}

/* A ring, a line, a grid of eight columns. */
static float
ring(unsigned int a, unsigned int b)
{
	unsigned int hops = a > b ? a - b : b - a;

	return 30 + 2 * (float)(hops > 12 ? 24 - hops : hops);
}

static float
line(unsigned int a, unsigned int b)
{
	return 30 + 2 * fabsf((float)a - (float)b);
}

static float
grid(unsigned int a, unsigned int b)
{
	float x = (float)(a % 8) - (float)(b % 8);
	float y = (float)(a / 8) - (float)(b / 8);

	return 30 + 3 * (fabsf(x) + fabsf(y));
}

static float
flat(unsigned int a, unsigned int b)
{
	(void)a;
	(void)b;
	return 40;
}

/* The first twelve are near each other, and the others. */
static float
halves(unsigned int a, unsigned int b)
{
	return a / 12 == b / 12 ? 30 : 60;
}

/* The first core is slow, one CPU of 24. */
static float
one_slow(unsigned int a, unsigned int b)
{
	return a == 0 || b == 0 ? 60 : 30;
}

static struct matrix *
make(unsigned int n, latency_fn *ns)
{
	struct cpuset cpus = cpuset_below(n);
	struct matrix *m = matrix_new(&cpus);

	for (unsigned int a = 0; a < n; a++) {
		for (unsigned int b = 0; b < a; b++)
			*matrix_at(m, a, b) = (struct matrix_cell){ns(a, b), 4, 100};
	}
	return m;
}

/* Blocks of as many members as @size says; the last one has what is left. */
static struct partition
blocks(unsigned int n, unsigned int size)
{
	struct partition p = partition_singles(n);

	for (unsigned int i = 0; i < n; i++)
		partition_join(&p, i, i - i % size);
	partition_settle(&p);
	return p;
}

static bool
find(const struct matrix *m, const struct partition *units,
	const struct partition *kinds, struct alike *out)
{
	float *ns = xcalloc((size_t)m->n * m->n, sizeof(*ns));
	bool found;

	for (unsigned int a = 0; a < m->n; a++) {
		for (unsigned int b = 0; b < a; b++)
			ns[a * m->n + b] = ns[b * m->n + a] = matrix_at(m, a, b)->ns;
	}
	found = alike_find(&(struct lat_view){ns, m->n}, units, kinds, out);
	free(ns);
	return found;
}

static struct partition
hybrid_units(void)
{
	struct partition p = partition_singles(24);

	for (unsigned int i = 0; i < 16; i++)
		partition_join(&p, i, i - i % 2);
	partition_settle(&p);
	return p;
}

static void
assert_p_and_e(struct alike *a)
{
	assert_int_equal(a->blocks.n_blocks, 2);
	for (unsigned int i = 0; i < 24; i++)
		assert_int_equal(a->blocks.head[i], i < 16 ? 0 : 16);
	assert_true(a->confidence > 0.5f && a->confidence <= 1);
	partition_fini(&a->blocks);
}

static void
fast_and_slow_cores_are_two_kinds(void **state)
{
	struct matrix *m = make(24, hybrid);
	struct partition units = hybrid_units();
	struct alike a;

	(void)state;
	assert_true(find(m, &units, NULL, &a));
	assert_p_and_e(&a);
	partition_fini(&units);
	matrix_free(m);
}

static void
kinds_stay_under_noise_outliers_and_gaps(void **state)
{
	static const struct measured_trouble troubles[] = {
		{.noise = 0.1, .outliers = 0.01},
		{.noise = 0.05, .missing = 0.3},
		{.noise = 0.02, .missing = 0.6},
	};
	struct matrix *m = make(24, hybrid);
	struct partition units = hybrid_units();

	(void)state;
	for (unsigned int i = 0; i < SEEDS * ARRAY_LEN(troubles); i++) {
		struct measured_trouble trouble = troubles[i / SEEDS];
		struct matrix *bad;
		struct alike a;

		trouble.seed = 1 + i % SEEDS;
		bad = measured_disturb(m, &trouble);
		if (!find(bad, &units, NULL, &a))
			fail_msg("trouble %u, seed %u", i / SEEDS, 1 + i % SEEDS);
		assert_p_and_e(&a);
		matrix_free(bad);
	}
	partition_fini(&units);
	matrix_free(m);
}

static void
where_cores_lie_makes_no_kinds(void **state)
{
	static const struct {
		const char *what;
		latency_fn *ns;
		unsigned int n;
	} cases[] = {
		{"ring", ring, 24},
		{"line", line, 24},
		{"grid", grid, 64},
		{"flat", flat, 24},
		{"near halves", halves, 24},
		{"one slow CPU", one_slow, 24},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct matrix *m = make(cases[i].n, cases[i].ns);
		struct partition singles = partition_singles(m->n);
		struct measured_trouble trouble = {.noise = 0.1, .outliers = 0.01};
		struct alike a;

		if (find(m, &singles, NULL, &a))
			fail_msg("%s", cases[i].what);
		for (trouble.seed = 1; trouble.seed <= SEEDS; trouble.seed++) {
			struct matrix *bad = measured_disturb(m, &trouble);

			if (find(bad, &singles, NULL, &a))
				fail_msg("%s, seed %u", cases[i].what,
					(unsigned int)trouble.seed);
			matrix_free(bad);
		}
		partition_fini(&singles);
		matrix_free(m);
	}
}

static void
kinds_that_are_told_are_confirmed_or_not(void **state)
{
	struct matrix *m = make(24, hybrid);
	struct matrix *even = make(24, flat);
	struct partition units = hybrid_units();
	struct partition kinds = blocks(24, 16);
	struct partition wrong = blocks(24, 12);
	struct partition across = blocks(24, 15);
	struct alike a;

	(void)state;
	assert_true(find(m, &units, &kinds, &a));
	assert_p_and_e(&a);
	assert_false(find(even, &units, &kinds, &a));
	assert_false(find(m, &units, &across, &a)); /* parts siblings */
	/* told of equal cores: no other groups are looked for either */
	assert_false(find(even, &units, &wrong, &a));
	partition_fini(&units);
	partition_fini(&kinds);
	partition_fini(&wrong);
	partition_fini(&across);
	matrix_free(m);
	matrix_free(even);
}

static void
hosts_that_cannot_have_them_are_left_alone(void **state)
{
	static const struct {
		const char *what;
		unsigned int n;
		unsigned int unit;
	} cases[] = {
		{"no CPU", 0, 1},
		{"one CPU", 1, 1},
		{"five units", 20, 4},
		{"units of nine", 72, 9},
		{"129 CPUs", 129, 1},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct matrix *m = make(cases[i].n, hybrid);
		struct partition units = blocks(cases[i].n, cases[i].unit);
		struct alike a = {.confidence = 7};

		if (find(m, &units, NULL, &a))
			fail_msg("%s", cases[i].what);
		assert_float_equal(a.confidence, 7, 0);
		partition_fini(&units);
		matrix_free(m);
	}
}

static void
an_empty_matrix_has_no_kinds(void **state)
{
	struct cpuset cpus = cpuset_below(24);
	struct matrix *m = matrix_new(&cpus);
	struct partition singles = partition_singles(24);
	struct partition kinds = blocks(24, 16);
	struct alike a;

	(void)state;
	assert_false(find(m, &singles, NULL, &a));
	assert_false(find(m, &singles, &kinds, &a));
	partition_fini(&singles);
	partition_fini(&kinds);
	matrix_free(m);
}

/* ---- as a tier ---- */

static void
expect(const struct measured_tree *tree, const struct matrix *m, const char *levels,
	const char *tiers)
{
	struct topo *t = measured_topo(tree);
	struct ranking *r = measured_rank(t, m);
	auto_free char *got_levels = measured_levels(r);
	auto_free char *got_tiers = measured_tiers(r);

	assert_string_equal(got_levels, levels);
	assert_string_equal(got_tiers, tiers);
	assert_true(r->trusted);
	for (unsigned int k = 0; k < r->n_tiers; k++)
		assert_true(r->tiers[k].confidence > 0.5f);
	ranking_free(r);
	topo_free(t);
}

/* The L2s of the slow cores are denied, rightly: their CPUs are nearer to those of the
 * other one than to each other. The kinds do not depend on that. */
static void
kinds_are_a_tier_between_core_and_host(void **state)
{
	struct measured_tree tree = {24, 2, true, .singles = 8, .l2 = 4, .l3 = 16};
	const char *levels = "core confirmed 8/8, l2 denied 0/2";
	const char *tiers = "core 16 | cluster 2 | host 1";
	struct matrix *m = make(24, hybrid);

	(void)state;
	expect(&tree, m, levels, tiers);
	tree.kinds = true;
	expect(&tree, m, levels, tiers);
	tree.l2 = 0;
	expect(&tree, m, "core confirmed 8/8", tiers);
	expect(&(struct measured_tree){.n_cpus = 24, .threads = 1}, m, "",
		"cluster 16 | cluster 2 | host 1");
	matrix_free(m);
}

static float
no_smt(unsigned int a, unsigned int b)
{
	/* one thread of each core */
	return hybrid(a < 8 ? 2 * a : a + 8, b < 8 ? 2 * b : b + 8);
}

static void
kinds_are_found_without_smt(void **state)
{
	struct matrix *m = make(16, no_smt);

	(void)state;
	expect(&(struct measured_tree){16, 1, .l3 = 16}, m, "", "cluster 2 | host 1");
	matrix_free(m);
}

static void
kinds_deserve_no_more_trust_than_their_values(void **state)
{
	struct matrix *m = make(16, no_smt);
	struct topo *t = measured_topo(&(struct measured_tree){16, 1, .l3 = 16});
	struct ranking *r;

	(void)state;
	for (size_t i = 0; i < matrix_pairs(m->n); i++)
		m->cells[i].confidence_pct = 20;
	r = measured_rank(t, m);
	assert_false(r->trusted);
	assert_string_equal(r->why, "measured values are too noisy");
	ranking_free(r);
	topo_free(t);
	matrix_free(m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fast_and_slow_cores_are_two_kinds),
		cmocka_unit_test(kinds_stay_under_noise_outliers_and_gaps),
		cmocka_unit_test(where_cores_lie_makes_no_kinds),
		cmocka_unit_test(kinds_that_are_told_are_confirmed_or_not),
		cmocka_unit_test(hosts_that_cannot_have_them_are_left_alone),
		cmocka_unit_test(an_empty_matrix_has_no_kinds),
		cmocka_unit_test(kinds_are_a_tier_between_core_and_host),
		cmocka_unit_test(kinds_are_found_without_smt),
		cmocka_unit_test(kinds_deserve_no_more_trust_than_their_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
