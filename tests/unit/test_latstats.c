// SPDX-License-Identifier: MIT
/* What is told about tiers, and hosts that are part of others. */
#include "config.h"

// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <math.h>

#include "cli/lathost.h"
#include "cli/latstats.h"
#include "layouts.h"

/* 2 packages of 2 nodes of 2 L3 groups of 2 cores of 2 threads. */
static const struct layout small_host = {
	.packages = 2, .nodes = 2, .l3s = 2, .cores = 2, .threads = 2};

static void
assert_ns(float have, double want)
{
	if (fabs((double)have - want) > 0.01)
		fail_msg("%f, not %f", (double)have, want);
}

static void
pairs_count_where_they_are_new(void **state)
{
	/* pairs of each tier: cores, L3s, nodes, packages, all */
	static const size_t want[] = {16, 32, 64, 128, 256};
	static const unsigned int cpus[] = {2, 4, 8, 16, 32};
	struct topo *t = hosts_build(&small_host);
	struct latstats stats[CTL_LATENCY_TIERS_MAX];
	struct ctl_latency l = {0};

	(void)state;
	ctl_latency_set_model(&l, t);
	latstats_compute(&l, stats);
	assert_int_equal(l.n_tiers, ARRAY_LEN(want));
	for (unsigned int i = 0; i < l.n_tiers; i++) {
		assert_int_equal(stats[i].pairs, want[i]);
		assert_int_equal(stats[i].known, want[i]);
		assert_int_equal(stats[i].min_cpus, cpus[i]);
		assert_int_equal(stats[i].max_cpus, cpus[i]);
		assert_ns(stats[i].median_ns, l.tiers[i].latency_ns);
	}
	ctl_latency_fini(&l);
	topo_free(t);
}

static void
values_are_least_lower_middle_and_largest(void **state)
{
	struct topo *t = hosts_build(&small_host);
	struct latstats stats[CTL_LATENCY_TIERS_MAX];
	struct ctl_latency l = {0};

	(void)state;
	ctl_latency_set_model(&l, t);
	/* of the 16 cores (CPUs i and i + 16) four are measured, one L3 pair is not */
	for (unsigned int i = 0; i < 16; i++)
		matrix_at(l.matrix, i + 16, i)->ns = i < 4 ? (float)(7 - i) : 0.0f;
	matrix_at(l.matrix, 1, 0)->ns = 0;
	latstats_compute(&l, stats);
	assert_int_equal(stats[0].pairs, 16);
	assert_int_equal(stats[0].known, 4);
	assert_ns(stats[0].min_ns, 4);
	assert_ns(stats[0].median_ns, 5);
	assert_ns(stats[0].max_ns, 7);
	assert_int_equal(stats[1].known, 31);
	for (unsigned int i = 0; i < 4; i++)
		matrix_at(l.matrix, i + 16, i)->ns = 0;
	latstats_compute(&l, stats);
	assert_int_equal(stats[0].known, 0);
	assert_ns(stats[0].median_ns, 0);
	ctl_latency_fini(&l);
	topo_free(t);
}

static void
tiers_have_the_firmwares_names_where_it_knows_them(void **state)
{
	static const char *const want[] = {"core", "l3", "node", "package", "host"};
	struct topo *t = hosts_build(&small_host);
	struct ctl_latency l = {0};

	(void)state;
	ctl_latency_set_model(&l, t);
	for (unsigned int i = 0; i < l.n_tiers; i++)
		assert_string_equal(latstats_tier_name(&l, i, t), want[i]);
	assert_string_equal(latstats_tier_name(&l, 1, NULL), "-");
	assert_string_equal(latstats_tier_name(&l, 4, NULL), "host");
	/* a domain too large: nothing that the firmware knows */
	cpuset_add(&l.tiers[1].domains[0], 15);
	assert_string_equal(latstats_tier_name(&l, 1, t), "cluster");
	ctl_latency_fini(&l);
	topo_free(t);
}

static void
part_of_a_host_keeps_its_groups(void **state)
{
	struct topo *t =
		hosts_build(&(struct layout){2, 2, 2, 2, 2, .near = 12, .far = 32});
	struct cpuset cpus = CPUSET_NONE;
	struct topo *all = lathost_part(t, &t->online);
	struct topo *part;

	(void)state;
	assert_true(topo_equal(t, all));
	topo_free(all);
	assert_int_equal(cpuset_parse("0-1,3,16,40", &cpus), 0); /* 40 is not there */
	part = lathost_part(t, &cpus);
	assert_int_equal(part->n_pus, 4);
	assert_int_equal(part->n_cores, 3); /* 0 and 16 are siblings */
	assert_int_equal(part->n_l3, 2);
	assert_int_equal(part->n_packages, 1);
	assert_true(part->pus[0].core == part->pus[3].core);
	topo_free(part);
	topo_free(t);
}

static void
bare_host_has_nothing_but_cpus(void **state)
{
	struct cpuset cpus = CPUSET_NONE;
	struct topo *t;

	(void)state;
	assert_int_equal(cpuset_parse("3,7-8,2047", &cpus), 0);
	t = lathost_bare(&cpus);
	assert_true(cpuset_equal(&t->online, &cpus));
	assert_int_equal(t->n_cores, 4);
	assert_int_equal(t->n_l3 + t->n_l2 + t->n_nodes + t->n_packages, 0);
	topo_free(t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pairs_count_where_they_are_new),
		cmocka_unit_test(values_are_least_lower_middle_and_largest),
		cmocka_unit_test(tiers_have_the_firmwares_names_where_it_knows_them),
		cmocka_unit_test(part_of_a_host_keeps_its_groups),
		cmocka_unit_test(bare_host_has_nothing_but_cpus),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
