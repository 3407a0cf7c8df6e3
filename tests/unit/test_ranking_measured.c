// SPDX-License-Identifier: MIT
/*
 * Rankings of real machines: the tiers a person would draw, with and without the host's
 * own tree, whole, disturbed and in part. tests/data/tiers/NAME.txt is what was
 * reviewed; QMPIN_GOLDEN_OUT=DIR writes what came out there.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "cases.h"
#include "measured.h"

#define SEEDS 50u

struct machine {
	const char *name;
	struct measured_tree tree; /* as its firmware describes it */
	const char *levels;	   /* what measuring says of that */
	const char *tiers;
};

static const struct machine machines[] = {
	{"amd-epyc-7742-2s-256t", {256, 2, .l3 = 4, .node = 64, .package = 64},
		"core confirmed 128/128, l3 confirmed 32/32, node not seen 1/2",
		"core 128 | l3 32 | node 2 | host 1"},
	{"amd-ryzen-9-5900hx-16t", {16, 2, true, .l3 = 8, .node = 8, .package = 8},
		"core confirmed 8/8", "core 8 | host 1"},
	{"amd-ryzen-9-7950x-32t", {32, 2, true, .l3 = 8, .node = 16, .package = 16},
		"core confirmed 16/16, l3 confirmed 2/2", "core 16 | l3 2 | host 1"},
	{"amd-threadripper-1950x-32t", {32, 2, .l3 = 4, .node = 8, .package = 16},
		"core confirmed 16/16, l3 confirmed 4/4, node not seen 1/2",
		"core 16 | l3 4 | node 2 | host 1"},
	{"aws-graviton3-64t", {64, 1, .l3 = 64, .node = 64, .package = 64}, "",
		"host 1"},
	{"hisilicon-kunpeng-920-2s-64c", {64, 1, .l3 = 32, .node = 32, .package = 32},
		"l3 confirmed 2/2", "l3 2 | host 1"},
	{"ibm-power7-2s-8c", {16, 1, .node = 8, .package = 8}, "node confirmed 2/2",
		"node 2 | host 1"},
	{"intel-core-12900k-hybrid-24t",
		{24, 2, true, .singles = 8, .l2 = 4, .l3 = 16, .package = 16},
		"core confirmed 8/8, l2 denied 0/2", "core 16 | cluster 2 | host 1"},
	{"intel-xeon-6242-2s-64t", {64, 2, .l3 = 16, .node = 16, .package = 16},
		"core confirmed 32/32, l3 confirmed 2/2", "core 32 | l3 2 | host 1"},
	{"intel-xeon-8375c-128t", {128, 2, .l3 = 32, .node = 32, .package = 32},
		"core confirmed 64/64, l3 confirmed 2/2", "core 64 | l3 2 | host 1"},
	{"intel-xeon-phi-7210-64c", {64, 1, .singles = 64, .l2 = 2, .node = 64},
		"l2 confirmed 32/32", "l2 32 | host 1"},
	{"loongson-3a5000hv-4t", {4, 1, .l3 = 4, .node = 4, .package = 4}, "",
		"host 1"},
};

/* A host without groups: everything has to be found. */
static struct topo *
bare_topo(const struct matrix *m)
{
	return measured_topo(&(struct measured_tree){.n_cpus = m->n, .threads = 1});
}

static struct matrix *
load(size_t i)
{
	return measured_load(machines[i].name);
}

/* ---- golden files ---- */

static void
print_domains(struct strbuf *out, const struct ranking *r, const struct tier *t)
{
	unsigned int column = 0;

	for (unsigned int d = 0; d < t->n_domains; d++) {
		char text[CPUSET_TEXT_MAX];

		cpuset_format(
			&r->domains[t->first_domain + d].cpus, text, sizeof(text));
		if (column == 0 || column + strlen(text) > 80) {
			strbuf_adds(out, column == 0 ? "   " : "\n   ");
			column = 3;
		}
		strbuf_addf(out, " %s", text);
		column += (unsigned int)strlen(text) + 1;
	}
	strbuf_adds(out, "\n");
}

static char *
print_ranking(const struct ranking *r)
{
	struct strbuf out = {0};

	strbuf_addf(&out, "%s\n", r->trusted ? "trusted" : r->why);
	for (unsigned int k = 0; k < r->n_tiers; k++) {
		const struct tier *t = &r->tiers[k];

		strbuf_addf(&out, "%s %.0f ns, confidence %.2f\n", t->name,
			(double)t->latency_ns, (double)t->confidence);
		print_domains(&out, r, t);
	}
	return strbuf_take(&out);
}

static char *
golden_path(const char *name)
{
	const char *srcdir = getenv("srcdir");

	return xasprintf(
		"%s/tests/data/tiers/%s.txt", srcdir != NULL ? srcdir : ".", name);
}

/* The reviewed text, without its comments. */
static char *
read_golden(const char *name)
{
	auto_free char *path = golden_path(name);
	FILE *file = fopen(path, "r");
	struct strbuf out = {0};
	char line[256];

	if (file == NULL)
		fail_msg("cannot open %s", path);
	while (fgets(line, sizeof(line), file) != NULL) {
		if (line[0] != '#')
			strbuf_adds(&out, line);
	}
	(void)fclose(file);
	return strbuf_take(&out);
}

static void
write_golden(const char *name, const char *text)
{
	auto_free char *path = xasprintf("%s/%s.txt", getenv("QMPIN_GOLDEN_OUT"), name);
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	(void)fputs(text, file);
	(void)fclose(file);
}

static void
tiers_are_those_a_person_would_draw(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(machines); i++) {
		struct matrix *m = load(i);
		struct topo *t = bare_topo(m);
		struct ranking *r = measured_rank(t, m);
		auto_free char *text = print_ranking(r);

		if (getenv("QMPIN_GOLDEN_OUT") != NULL) {
			write_golden(machines[i].name, text);
		} else {
			auto_free char *wanted = read_golden(machines[i].name);

			if (strcmp(wanted, text) != 0)
				fail_msg("%s; what came out:\n%s", machines[i].name,
					text);
		}
		ranking_free(r);
		topo_free(t);
		matrix_free(m);
	}
}

/* ---- disturbed ---- */

static void
must_stay(const struct machine *who, const struct topo *t, const struct matrix *m,
	struct measured_trouble trouble)
{
	struct ranking *wanted = measured_rank(t, m);

	for (trouble.seed = 1; trouble.seed <= cases_of(SEEDS); trouble.seed++) {
		struct matrix *bad = measured_disturb(m, &trouble);
		struct ranking *r = measured_rank(t, bad);
		auto_free char *text = print_ranking(r);

		if (!measured_same(r, wanted) || r->trusted != wanted->trusted)
			fail_msg("%s, seed %u: %s", who->name,
				(unsigned int)trouble.seed, text);
		ranking_free(r);
		matrix_free(bad);
	}
	ranking_free(wanted);
}

static void
noise_and_outliers_change_no_tier(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(machines); i++) {
		struct matrix *m = load(i);
		struct topo *bare = bare_topo(m);
		struct topo *own = measured_topo(&machines[i].tree);

		must_stay(&machines[i], bare, m,
			(struct measured_trouble){.noise = 0.1, .outliers = 0.01});
		must_stay(&machines[i], own, m,
			(struct measured_trouble){.noise = 0.1, .outliers = 0.01});
		topo_free(bare);
		topo_free(own);
		matrix_free(m);
	}
}

static void
a_third_of_the_pairs_is_not_needed(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(machines); i++) {
		struct matrix *m = load(i);
		struct topo *own = measured_topo(&machines[i].tree);

		must_stay(&machines[i], own, m,
			(struct measured_trouble){.noise = 0.05, .missing = 0.3});
		topo_free(own);
		matrix_free(m);
	}
}

/* ---- with the host's own tree ---- */

static void
expect(const char *who, const struct ranking *r, const char *levels, const char *tiers)
{
	auto_free char *got_levels = measured_levels(r);
	auto_free char *got_tiers = measured_tiers(r);

	if (strcmp(got_levels, levels) != 0 || strcmp(got_tiers, tiers) != 0)
		fail_msg("%s: %s; %s; %s", who, got_levels, got_tiers,
			r->trusted ? "trusted" : r->why);
}

static void
trees_are_judged_level_by_level(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(machines); i++) {
		struct matrix *m = load(i);
		struct topo *t = measured_topo(&machines[i].tree);
		struct ranking *r = measured_rank(t, m);

		expect(machines[i].name, r, machines[i].levels, machines[i].tiers);
		assert_true(r->trusted == (machines[i].levels[0] != '\0'));
		ranking_free(r);
		topo_free(t);
		matrix_free(m);
	}
}

static void
wrong_trees_are_denied(void **state)
{
	static const struct machine wrong[] = {
		{"amd-epyc-7742-2s-256t",
			{256, 2, .l3 = 4, .shift_l3 = 2, .node = 64, .package = 64},
			"core confirmed 128/128, l3 denied 2/33",
			"core 128 | cluster 32 | node 2 | host 1"},
		{"amd-epyc-7742-2s-256t", {256, 2, .l3 = 8, .node = 64, .package = 64},
			"core confirmed 128/128, l3 split 3/16, node not seen 1/2",
			"core 128 | cluster 32 | l3 16 | node 2 | host 1"},
		{"amd-epyc-7742-2s-256t", {256, 2, .node = 64, .package = 64},
			"core confirmed 128/128, node split 1/2",
			"core 128 | cluster 32 | node 2 | host 1"},
		{"amd-epyc-7742-2s-256t", {256, 2, .l3 = 4, .node = 16, .package = 64},
			"core confirmed 128/128, l3 confirmed 32/32, "
			"node not seen 1/8, package not seen 1/2",
			"core 128 | l3 32 | node 8 | package 2 | host 1"},
		{"amd-ryzen-9-7950x-32t", {32, 2, .l3 = 8, .node = 16},
			"core denied 0/16, l3 denied 0/2",
			"cluster 16 | cluster 2 | host 1"},
		{"intel-xeon-6242-2s-64t", {64, 2, .l3 = 8, .node = 16, .package = 16},
			"core confirmed 32/32, l3 not seen 0/4, node confirmed 2/2",
			"core 32 | l3 4 | node 2 | host 1"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		struct matrix *m = measured_load(wrong[i].name);
		struct topo *t = measured_topo(&wrong[i].tree);
		struct ranking *r = measured_rank(t, m);

		print_message("tree %zu\n", i);
		expect(wrong[i].name, r, wrong[i].levels, wrong[i].tiers);
		assert_true(r->trusted);
		ranking_free(r);
		topo_free(t);
		matrix_free(m);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tiers_are_those_a_person_would_draw),
		cmocka_unit_test(trees_are_judged_level_by_level),
		cmocka_unit_test(wrong_trees_are_denied),
		cmocka_unit_test(noise_and_outliers_change_no_tier),
		cmocka_unit_test(a_third_of_the_pairs_is_not_needed),
	};

	if (!measured_available()) {
		print_message("no matrices of real machines here (QMPIN_SHARED)\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
