// SPDX-License-Identifier: MIT
/* What the planner goes by: weights, policy, single keys; from settings. */
#include "config.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "conf/option_table.h"
#include "conf/settings.h"
#include "place/objective.h"
#include "settings_text.h"

static void
factors_have_decimals_and_bounds(void **state UNUSED)
{
	static const struct {
		const char *text;
		double value;
	} good[] = {{"0", 0}, {"100", 100}, {"0.5", 0.5}, {"12.000001", 12.000001},
		{"007.50", 7.5}, {"100.0", 100}};
	static const char *const bad[] = {"", "-1", "1e1", "1,5", ".5", "1.", "1.5.2",
		"0x1", "nan", "inf", "100.000001", "101", "1.0000001", "+1", "1 0",
		"99999999999999999999", "0.99999999999999999999"};

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		auto_free char *text =
			xasprintf("[weights]\nmemory = %s\n", good[i].text);
		struct settings c = settings_text_new(text);

		assert_float_equal(c.weights[TERM_MEMORY], good[i].value, 1e-12);
		assert_float_equal(c.weights[TERM_WAITING], 1, 0);
		settings_fini(&c);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		auto_free char *text =
			xasprintf("[qmpin]\n[weights]\nmemory = %s\n", bad[i]);

		settings_text_refused(text, 3, "memory: ");
	}
	settings_text_refused("[weights]\nsmt = 100.5\n", 2, "smt: 100.5 is above 100");
	settings_text_refused("[weights]\nsmt = x\n", 2,
		"smt: \"x\" is not a factor (0 to 100, such as 0.5)");
}

/* [weights] has the planner's terms, all of them and no others. */
static void
weights_are_the_planner_s_terms(void **state UNUSED)
{
	size_t n;
	const struct option_def *o = option_table(&n);
	unsigned int found = 0;

	for (unsigned int t = 0; t < N_TERMS; t++) {
		auto_free char *text =
			xasprintf("[weights]\n%s = 3\n", term_name((enum term)t));
		struct settings c = settings_text_new(text);

		for (unsigned int i = 0; i < N_TERMS; i++) {
			double want = i == t ? 3 : 1;

			assert_float_equal(c.weights[i], want, 0);
		}
		assert_int_equal(c.n_warnings, 0);
		settings_fini(&c);
	}
	for (size_t i = 0; i < n; i++)
		found += str_equal(o[i].section, "weights");
	assert_int_equal(found, N_TERMS);
}

static void
one_key_is_set_as_a_file_would(void **state UNUSED)
{
	static const struct {
		const char *key;
		const char *value;
		const char *reason;
	} refused[] = {
		{"speed", "1", "unknown key \"speed\""},
		{"weights", "1", "unknown key \"weights\""},
		{"weights.mode", "pin", "unknown key \"weights.mode\""},
		{"waiting", "1", "unknown key \"waiting\""},
		{"socket_glob", "/x",
			"key \"socket_glob\" has no effect in this version"},
		{"memory", "fast", "memory: \"fast\" is not one of"},
		{"mode", "fast", "mode: \"fast\" is not one of"},
		{"weights.memory", "x", "memory: \"x\" is not a factor"},
	};
	struct settings c = settings_text_new("");
	struct err e = ERR_NONE;

	assert_int_equal(settings_set(&c, "mode", "core", "--set", &e), 0);
	assert_int_equal(settings_set(&c, "rebalance", "no", "--set", &e), 0);
	assert_int_equal(settings_set(&c, "weights.pci", "0.25", "--set", &e), 0);
	assert_int_equal(c.mode, PLACE_CORE);
	assert_int_equal(c.mode_origin, SETTINGS_ORIGIN_CONFIG);
	assert_int_equal(c.rebalance, SETTINGS_REBALANCE_NO);
	assert_float_equal(c.weights[TERM_PCI], 0.25, 0);
	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		err_clear(&e);
		assert_int_equal(
			settings_set(&c, refused[i].key, refused[i].value, "--set", &e),
			-EINVAL);
		if (strncmp(e.text, refused[i].reason, strlen(refused[i].reason)) != 0)
			fail_msg("%s: %s", refused[i].key, e.text);
		assert_string_equal(e.source, "--set");
	}
	assert_int_equal(c.mode, PLACE_CORE);
	settings_fini(&c);
}

static void
the_planner_goes_by_the_settings(void **state UNUSED)
{
	struct settings c = settings_text_new("");
	struct plan_policy want = plan_policy_default();
	struct plan_policy p = settings_policy(&c);

	/* the planner's defaults are the documented ones; rebalance is on here */
	assert_int_equal(p.dedicated_max_pct, want.dedicated_max_pct);
	assert_float_equal(p.rebalance_gain_pct, want.rebalance_gain_pct, 0);
	assert_float_equal(p.rebalance_dwell_s, want.rebalance_dwell_s, 0);
	assert_float_equal(p.wait_mean_max, want.wait_mean_max, 0);
	assert_memory_equal(p.weights, want.weights, sizeof(want.weights));
	assert_true(p.rebalance);
	assert_int_equal(p.rebalance_vms, 0);
	assert_int_equal(p.rebalance_vcpus, 0);
	settings_fini(&c);
	c = settings_text_new("[qmpin]\nrebalance = no\nrebalance_gain_pct = 25\n"
			      "rebalance_dwell_s = 0\nreserved_cpus = 0\n"
			      "isolated_cpus = 4-5\ndedicated_max_pct = 50\n"
			      "[weights]\nfragmentation = 0\n");
	p = settings_policy(&c);
	assert_false(p.rebalance);
	assert_float_equal(p.rebalance_gain_pct, 25, 0);
	assert_float_equal(p.rebalance_dwell_s, 0, 0);
	assert_true(cpuset_equal(&p.reserved, &c.reserved_cpus));
	assert_true(cpuset_has(&p.isolated_usable, 5));
	assert_int_equal(p.dedicated_max_pct, 50);
	assert_float_equal(p.weights[TERM_FRAGMENTATION], 0, 0);
	settings_fini(&c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(factors_have_decimals_and_bounds),
		cmocka_unit_test(weights_are_the_planner_s_terms),
		cmocka_unit_test(one_key_is_set_as_a_file_would),
		cmocka_unit_test(the_planner_goes_by_the_settings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
