// SPDX-License-Identifier: MIT
/* Tiers: in the right order on real layouts, nested partitions on any. */
#include "config.h"

#include "topo/ranking.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "layouts.h"

static struct ranking *
rank(const struct topo *t)
{
	float *ns = lat_class_matrix(t, lat_classes_default());
	const struct lat_view lat = {ns, t->n_pus};
	struct ranking *r = ranking_from_topo(t, &lat);

	free(ns);
	return r;
}

/* The tiers as text: "core 32, l3 8, host 1". */
static void
assert_tiers(const struct ranking *r, const char *expected)
{
	char text[256] = "";

	for (unsigned int k = 0; k < r->n_tiers; k++) {
		char item[64];

		(void)snprintf(item, sizeof(item), "%s%s %u", k > 0 ? ", " : "",
			r->tiers[k].name, r->tiers[k].n_domains);
		strcat(text, item);
	}
	assert_string_equal(text, expected);
}

static void
check_tier(const struct ranking *r, const struct topo *t, unsigned int k)
{
	const struct tier *tier = &r->tiers[k];
	struct cpuset seen = CPUSET_NONE;
	unsigned int lowest = 0;

	for (unsigned int i = 0; i < tier->n_domains; i++) {
		const unsigned int index = tier->first_domain + i;
		const struct domain *d = &r->domains[index];

		assert_false(cpuset_empty(&d->cpus));
		assert_false(cpuset_overlap(&d->cpus, &seen));
		seen = cpuset_or(&seen, &d->cpus);
		assert_true(i == 0 || cpuset_next(&d->cpus, 0) > lowest);
		lowest = cpuset_next(&d->cpus, 0);
		assert_int_equal(d->n_cpus, cpuset_count(&d->cpus));
		assert_int_equal(d->n_cores, topo_count_cores(t, &d->cpus));
		cpuset_foreach (cpu, &d->cpus)
			assert_int_equal(ranking_domain_of(r, k, cpu), index);
		if (k + 1 == r->n_tiers) {
			assert_int_equal(d->parent, -1);
			continue;
		}
		assert_in_range(d->parent, tier[1].first_domain,
			tier[1].first_domain + tier[1].n_domains - 1);
		assert_true(cpuset_within(&d->cpus, &r->domains[d->parent].cpus));
	}
	assert_true(cpuset_equal(&seen, &t->online));
}

static int
by_value(const void *a, const void *b)
{
	const float x = *(const float *)a;
	const float y = *(const float *)b;

	return x < y ? -1 : x > y;
}

static bool
together(const struct ranking *r, unsigned int tier, unsigned int a, unsigned int b)
{
	return ranking_domain_of(r, tier, a) == ranking_domain_of(r, tier, b);
}

/* The median of the pairs that are new at the tier, found the long way. */
static void
check_latency(const struct ranking *r, const struct topo *t, unsigned int k)
{
	float *values = xcalloc((size_t)t->n_pus * t->n_pus, sizeof(*values));
	size_t n = 0;

	for (unsigned int a = 0; a < t->n_pus; a++) {
		for (unsigned int b = 0; b < a; b++) {
			if (!together(r, k, t->pus[a].cpu, t->pus[b].cpu) ||
				(k > 0 && together(r, k - 1, t->pus[a].cpu,
						  t->pus[b].cpu)))
				continue;
			values[n++] = lat_class_ns(t, lat_classes_default(), a, b);
		}
	}
	qsort(values, n, sizeof(*values), by_value);
	assert_float_equal(
		r->tiers[k].latency_ns, n > 0 ? values[(n - 1) / 2] : 0.0f, 0);
	free(values);
}

/* What the header promises of every ranking. */
static void
check_ranking(const struct ranking *r, const struct topo *t)
{
	unsigned int n_domains = 0;

	assert_true(r->n_tiers >= 1);
	for (unsigned int k = 0; k < r->n_tiers; k++) {
		assert_int_equal(r->tiers[k].first_domain, n_domains);
		assert_true(
			k == 0 || r->tiers[k].n_domains < r->tiers[k - 1].n_domains);
		n_domains += r->tiers[k].n_domains;
		check_tier(r, t, k);
		check_latency(r, t, k);
	}
	assert_int_equal(r->n_domains, n_domains);
	assert_int_equal(r->tiers[r->n_tiers - 1].n_domains, 1);
	assert_int_equal(ranking_tier_named(r, "host"), r->n_tiers - 1);
	assert_false(r->trusted);
}

static void
layouts_give_the_tiers_they_have(void **state)
{
	static const struct {
		const char *what;
		struct layout layout;
		const char *tiers;
	} cases[] = {
		{"chiplets, 2 packages of 4 nodes", {2, 4, 3, 4, 2, 12, 32},
			"core 96, l3 24, node 8, package 2, host 1"},
		{"one node for each L3", {2, 12, 1, 4, 2, 11, 32},
			"core 96, l3 24, package 2, host 1"},
		{"one L3 over the nodes of a package", {2, 4, 0, 14, 2, 12, 21},
			"core 112, node 8, l3 2, host 1"},
		{"two plain packages", {2, 1, 1, 16, 2, 20, 20},
			"core 32, l3 2, host 1"},
		{"no SMT", {1, 4, 2, 4, 1, 12, 12}, "l3 8, node 4, host 1"},
		{"one L3", {1, 1, 1, 8, 2, 0, 0}, "core 8, host 1"},
		{"one L3, no SMT", {1, 1, 1, 8, 1, 0, 0}, "host 1"},
		{"one core", {1, 1, 1, 1, 2, 0, 0}, "host 1"},
		{"one CPU", {1, 1, 1, 1, 1, 0, 0}, "host 1"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct topo *t = hosts_build(&cases[i].layout);
		struct ranking *r = rank(t);

		print_message("%s\n", cases[i].what);
		assert_tiers(r, cases[i].tiers);
		check_ranking(r, t);
		ranking_free(r);
		topo_free(t);
	}
}

static void
tier_latencies_are_those_of_the_new_pairs(void **state)
{
	const struct layout l = {2, 2, 2, 2, 2, 12, 32};
	const struct lat_classes *c = lat_classes_default();
	const float expected[] = {
		c->smt_ns, c->l3_ns, c->node_ns, c->package_ns, c->remote_ns};
	struct topo *t = hosts_build(&l);
	struct ranking *r = rank(t);

	(void)state;
	assert_int_equal(r->n_tiers, ARRAY_LEN(expected));
	for (unsigned int k = 0; k < r->n_tiers; k++) {
		assert_float_equal(r->tiers[k].latency_ns, expected[k], 0);
		assert_float_equal(r->tiers[k].confidence, 1, 0);
	}
	ranking_free(r);
	topo_free(t);
}

static void
the_median_ignores_what_a_few_pairs_say(void **state)
{
	const struct layout l = {1, 1, 1, 5, 1, 0, 0};
	struct topo *t = hosts_build(&l);
	/* pairs of five CPUs: ten values, the lower middle of 1..10 is 5 */
	float ns[25] = {0};
	const struct lat_view lat = {ns, 5};
	const float values[] = {7, 1, 1000, 3, 2, 10, 5, 4, 6, 8};
	unsigned int n = 0;
	struct ranking *r;

	(void)state;
	for (unsigned int a = 0; a < 5; a++) {
		for (unsigned int b = 0; b < a; b++)
			ns[a * 5 + b] = ns[b * 5 + a] = values[n++];
	}
	r = ranking_from_topo(t, &lat);
	assert_float_equal(r->tiers[0].latency_ns, 5, 0);
	ranking_free(r);
	topo_free(t);
}

static void
groups_that_cross_are_joined(void **state)
{
	const struct layout l = {1, 1, 1, 8, 1, 0, 0};
	struct topo_facts f = hosts_facts(&l);
	struct topo *t = NULL;
	struct ranking *r;
	char text[CPUSET_TEXT_MAX];

	(void)state;
	/* L3s 0-1 2-3 4-5 6-7, L2s of 3 across them: 1-3 and 5-7 */
	for (unsigned int i = 0; i < 8; i++) {
		f.cpus[i].l3_key = i / 2;
		f.cpus[i].l2_key = i % 4 == 0 ? TOPO_NONE : 100 + (int64_t)i / 4;
	}
	assert_int_equal(topo_build(&f, &t, NULL), 0);
	r = rank(t);
	assert_tiers(r, "l3 4, l2 2, host 1");
	check_ranking(r, t);
	cpuset_format(&r->domains[r->tiers[1].first_domain].cpus, text, sizeof(text));
	assert_string_equal(text, "0-3");
	ranking_free(r);
	topo_free(t);
	topo_facts_fini(&f);
}

static void
domains_know_their_cores_and_parents(void **state)
{
	const struct layout l = {2, 1, 2, 2, 2, 0, 0};
	struct topo *t = hosts_build(&l); /* 8 cores, siblings 8-15 */
	struct ranking *r = rank(t);
	unsigned int domain = ranking_domain_of(r, 0, 13);

	(void)state;
	assert_tiers(r, "core 8, l3 4, node 2, host 1");
	assert_true(cpuset_has(&r->domains[domain].cpus, 5));
	assert_int_equal(r->domains[domain].n_cores, 1);
	domain = (unsigned int)r->domains[domain].parent;
	assert_int_equal(domain, ranking_domain_of(r, 1, 4));
	assert_int_equal(r->domains[domain].n_cpus, 4);
	assert_int_equal(r->domains[domain].n_cores, 2);
	assert_int_equal(ranking_tier_named(r, "package"), -1);
	assert_int_equal(ranking_tier_named(r, "node"), 2);
	ranking_free(r);
	topo_free(t);
}

/* Groups drawn at random, some CPUs without: nothing nests but the tiers. */
static void
any_groups_give_nested_partitions(void **state)
{
	(void)state;
	for (unsigned int seed = 1; seed <= 200; seed++) {
		struct topo_cpu_facts cpus[24];
		struct topo_node_facts nodes[4] = {
			{.id = 0}, {.id = 1}, {.id = 5}, {.id = 9}};
		const unsigned int n_cpus = 1 + seed % ARRAY_LEN(cpus);
		const struct topo_facts f = {
			.n_cpus = n_cpus, .cpus = cpus, .n_nodes = 4, .nodes = nodes};
		struct topo *t = NULL;
		struct ranking *r;

		srand(seed);
		for (unsigned int i = 0; i < n_cpus; i++)
			cpus[i] = (struct topo_cpu_facts){
				.cpu = i * 7,
				.core_key = rand() % 13 - 1,
				.l2_key = rand() % 9 - 1,
				.l3_key = rand() % 25 - 1,
				.node_id = rand() % 3 - 1,
				.package_id = rand() % 13 - 1,
			};
		assert_int_equal(topo_build(&f, &t, NULL), 0);
		r = rank(t);
		print_message("seed %u: %u tiers\n", seed, r->n_tiers);
		check_ranking(r, t);
		ranking_free(r);
		topo_free(t);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(layouts_give_the_tiers_they_have),
		cmocka_unit_test(tier_latencies_are_those_of_the_new_pairs),
		cmocka_unit_test(the_median_ignores_what_a_few_pairs_say),
		cmocka_unit_test(groups_that_cross_are_joined),
		cmocka_unit_test(domains_know_their_cores_and_parents),
		cmocka_unit_test(any_groups_give_nested_partitions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
