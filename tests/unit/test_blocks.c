// SPDX-License-Identifier: MIT
/* How the pairs of a host are divided, and what a few of them say about the others. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "layouts.h"
#include "probe/blocks.h"
#include "probe/infer.h"
#include "probe/pairs.h"

static const struct layout chiplets = {2, 1, 2, 4, 2, 0, 0}; /* 32 CPUs */

/* Every pair of CPUs is in one place of the block that blocks_of names. */
static void
check_cover(const struct topo *t, bool by_cpu)
{
	struct blocks b;
	unsigned int *times;
	size_t total = 0;

	blocks_init(&b, t, &t->online, by_cpu);
	times = xcalloc((size_t)b.n_rows * b.n_rows, sizeof(*times));
	for (unsigned int i = 0; i < b.n; i++) {
		unsigned int found = 0;

		for (uint32_t k = 0; k < b.items[i].places; k++) {
			struct blocks_pair p;

			if (!blocks_pair(&b, &b.items[i], k, &p))
				continue;
			found++;
			for (unsigned int x = 0; x < p.n_a * p.n_b; x++) {
				unsigned int row = p.a[x / p.n_b];
				unsigned int column = p.b[x % p.n_b];

				times[row * b.n_rows + column]++;
				times[column * b.n_rows + row]++;
				assert_ptr_equal(
					blocks_of(&b, row, column), &b.items[i]);
			}
		}
		assert_int_equal(found, b.items[i].total);
		total += found;
	}
	for (unsigned int i = 0; i < b.n_rows * b.n_rows; i++)
		if (times[i] != (i / b.n_rows != i % b.n_rows))
			fail_msg("rows %u and %u: %u times", i / b.n_rows, i % b.n_rows,
				times[i]);
	if (by_cpu)
		assert_int_equal(total, b.n_rows * (b.n_rows - 1) / 2);
	free(times);
	blocks_fini(&b);
}

/* 8 cores with two threads, 8 with one in two clusters that share an L2; one L3. */
static struct topo *
hybrid(void)
{
	struct topo_facts f = {.n_cpus = 24};
	struct topo *t;

	f.cpus = xcalloc(f.n_cpus, sizeof(*f.cpus));
	for (unsigned int i = 0; i < f.n_cpus; i++) {
		bool fast = i < 16;

		f.cpus[i] = (struct topo_cpu_facts){
			.cpu = i,
			.core_key = fast ? i / 2 : i,
			.l2_key = fast ? i / 2 : 100 + i / 4,
			.node_id = -1,
			.kind = fast ? TOPO_KIND_PERFORMANCE : TOPO_KIND_EFFICIENCY,
		};
	}
	assert_int_equal(topo_build(&f, &t, NULL), 0);
	topo_facts_fini(&f);
	return t;
}

static struct topo *
many(unsigned int n, bool own_l3)
{
	struct topo_facts f = {.n_cpus = n};
	struct topo *t;

	f.cpus = xcalloc(f.n_cpus, sizeof(*f.cpus));
	for (unsigned int i = 0; i < n; i++)
		f.cpus[i] = (struct topo_cpu_facts){
			.cpu = i,
			.core_key = i,
			.l2_key = TOPO_NONE,
			.l3_key = own_l3 ? (int)i : TOPO_NONE,
			.package_id = i / (n / 2),
			.node_id = -1,
		};
	assert_int_equal(topo_build(&f, &t, NULL), 0);
	topo_facts_fini(&f);
	return t;
}

static void
every_pair_has_one_place(void **state)
{
	static const struct layout layouts[] = {
		{2, 1, 2, 4, 2, 0, 0},
		{1, 1, 1, 7, 1, 0, 0},
		{1, 1, 2, 3, 4, 0, 0},
		{2, 2, 0, 5, 2, 0, 0},
		{1, 1, 1, 1, 2, 0, 0},
	};
	struct topo *t = hybrid();

	(void)state;
	check_cover(t, false);
	check_cover(t, true);
	topo_free(t);
	for (size_t i = 0; i < ARRAY_LEN(layouts); i++) {
		t = hosts_build(&layouts[i]);
		check_cover(t, false);
		check_cover(t, true);
		topo_free(t);
	}
}

static void
groups_are_the_finest_that_are_shared(void **state)
{
	struct topo *chips = hosts_build(&chiplets);
	struct topo *mixed = hybrid();
	struct topo *flat = many(40, false);
	struct topo *lonely = many(40, true);
	struct topo *too_many = many(600, true);
	const struct {
		const struct topo *topo;
		unsigned int groups;
		unsigned int classes;
	} cases[] = {
		/* siblings, L3, package, other package */
		{chips, 4, 4},
		/* P cores and two clusters; P, siblings, P-E, a cluster, two clusters
		 */
		{mixed, 3, 5},
		{flat, 2, 2},
		{lonely, 40, 2},
		{too_many, 2, 2},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct blocks b;

		blocks_init(&b, cases[i].topo, &cases[i].topo->online, false);
		if (b.n_groups != cases[i].groups || b.n_classes != cases[i].classes)
			fail_msg("case %zu: %u groups, %u classes", i, b.n_groups,
				b.n_classes);
		blocks_fini(&b);
	}
	topo_free(chips);
	topo_free(mixed);
	topo_free(flat);
	topo_free(lonely);
	topo_free(too_many);
}

static void
a_core_that_lost_a_thread_goes_on_with_the_other(void **state)
{
	struct topo *t = hosts_build(&chiplets);
	struct blocks b;
	struct blocks_pair p;

	(void)state;
	blocks_init(&b, t, &t->online, false);
	blocks_drop(&b, 0);
	blocks_drop(&b, 0);
	/* cores 0 and 1 */
	assert_true(blocks_pair(&b, blocks_of(&b, 0, 1), 0, &p));
	assert_int_equal(p.left_a, 1);
	assert_int_equal(p.a[0], 16);
	blocks_drop(&b, 16);
	assert_false(blocks_pair(&b, blocks_of(&b, 0, 1), 0, &p));
	blocks_fini(&b);
	topo_free(t);
}

static void
visits_make_a_belief(void **state)
{
	static const struct {
		float ns[6];
		unsigned int failures;
		float value;
		unsigned int confidence;
		bool wants;
		bool hopeless;
	} cases[] = {
		{{0}, 0, 0, 0, true, false},
		{{0}, 3, 0, 0, true, false},
		{{0}, 4, 0, 0, false, true},
		{{50}, 7, 50, 40, false, false},
		{{50}, 0, 50, 40, true, false},
		{{51, 50}, 0, 50, 60, true, false},
		{{100, 50, 51}, 0, 51, 32, true, false},
		{{50, 150, 52, 51}, 0, 51, 100, false, false},
		{{50, 150, 52, 140}, 0, 52, 40, true, false},
		{{50, 51, 80, 81, 52, 50}, 0, 51, 100, false, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct belief b = {0};

		for (unsigned int k = 0; k < 6 && cases[i].ns[k] > 0; k++)
			belief_add(&b, cases[i].ns[k]);
		for (unsigned int k = 0; k < cases[i].failures; k++)
			belief_add(&b, 0);
		if (belief_ns(&b) < cases[i].value || belief_ns(&b) > cases[i].value ||
			belief_confidence_pct(&b) != cases[i].confidence ||
			belief_wants(&b) != cases[i].wants ||
			belief_hopeless(&b) != cases[i].hopeless)
			fail_msg("case %zu: %.1f %u %d %d", i, (double)belief_ns(&b),
				belief_confidence_pct(&b), belief_wants(&b),
				belief_hopeless(&b));
	}
}

/* A block of 21 pairs, seen @n of them with such values, each @visits times. */
static struct block
judged(const float *values, unsigned int n, unsigned int visits, float noise)
{
	struct block block = {.first = BELIEF_NONE};
	struct pairs p;

	pairs_init(&p, 64);
	for (unsigned int i = 0; i < n; i++) {
		uint32_t index = pairs_add(&p, 2 * i, 2 * i + 1);

		for (unsigned int v = 0; v < visits; v++)
			belief_add(&p.items[index], values[i]);
		p.items[index].next = block.first;
		block.first = index;
		block.tried++;
	}
	infer_judge(&block, &p, noise);
	pairs_fini(&p);
	return block;
}

static void
a_block_is_judged_by_its_pairs(void **state)
{
	static const float same[] = {100, 101, 99, 100, 100, 101};
	static const float high[] = {100, 101, 99, 100, 300, 100};
	static const float clusters[] = {100, 101, 60, 100, 61, 100};
	static const float one_near[] = {100, 101, 99, 60, 100, 101, 99, 100, 101, 99};
	static const float mesh[] = {90, 94, 98, 102, 106, 110};
	struct block b;

	(void)state;
	b = judged(same, 6, 2, 0);
	assert_true(b.disagreement < 0.02f && b.ns > 99.5f && b.ns < 100.5f);
	b = judged(high, 6, 2, 0);
	assert_true(b.disagreement < 0.02f);
	b = judged(clusters, 6, 2, 0.03f);
	assert_true(b.disagreement > 0.1f);
	b = judged(one_near, 10, 2, 0.02f);
	assert_true(b.disagreement > 0.1f);
	/* seen once, it may have been chance */
	b = judged(one_near, 10, 1, 0.02f);
	assert_true(b.disagreement < 0.02f);
	b = judged(mesh, 6, 2, 0.02f);
	assert_true(b.disagreement > 0.05f);
	/* where visits differ as much by themselves, it says nothing */
	b = judged(mesh, 6, 2, 0.1f);
	assert_true(b.disagreement < 0.001f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_pair_has_one_place),
		cmocka_unit_test(groups_are_the_finest_that_are_shared),
		cmocka_unit_test(a_core_that_lost_a_thread_goes_on_with_the_other),
		cmocka_unit_test(visits_make_a_belief),
		cmocka_unit_test(a_block_is_judged_by_its_pairs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
