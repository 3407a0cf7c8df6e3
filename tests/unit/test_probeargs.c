// SPDX-License-Identifier: MIT
/* The command line of qmpin-probe. */
#include "config.h"

#include "probe/probeargs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define WORDS 8

static int
parse(const char *const *words, struct probeargs *out, struct err *e)
{
	char *argv[WORDS + 1] = {0};
	int argc = 0;
	int r;

	argv[argc++] = strdup("qmpin-probe");
	for (; argc < WORDS && words[argc - 1] != NULL; argc++)
		argv[argc] = strdup(words[argc - 1]);
	r = probeargs_parse(argc, argv, out, e);
	for (int i = 0; i < WORDS; i++)
		free(argv[i]);
	return r;
}

static void
without_options_there_are_defaults(void **state)
{
	const char *const none[] = {NULL};
	struct probeargs a;

	(void)state;
	assert_int_equal(parse(none, &a, NULL), 0);
	assert_false(a.cpus_given || a.exhaustive || a.help || a.version);
	assert_true(a.cold_s == 3 && a.budget_s == 0);
	assert_int_equal(a.cpus_pct, 12);
}

static void
all_options_are_read(void **state)
{
	const char *const words[] = {"--cpus=0-3,8", "--cold=0.25", "--budget",
		"604800", "--cpus-pct=100", "--exhaustive", NULL};
	struct probeargs a;

	(void)state;
	assert_int_equal(parse(words, &a, NULL), 0);
	assert_true(a.cpus_given && a.exhaustive);
	assert_int_equal(cpuset_count(&a.cpus), 5);
	assert_true(fabs(a.cold_s - 0.25) < 1e-9 && a.budget_s == 604800);
	assert_int_equal(a.cpus_pct, 100);
}

static void
seconds_may_have_three_places(void **state)
{
	static const struct {
		const char *text;
		double s;
	} table[] = {{"--cold=0", 0}, {"--cold=3.000", 3}, {"--cold=1.5", 1.5},
		{"--cold=0.001", 0.001}};
	struct probeargs a;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		const char *const words[] = {table[i].text, NULL};

		if (parse(words, &a, NULL) != 0 || fabs(a.cold_s - table[i].s) > 1e-9)
			fail_msg("'%s' was not read", table[i].text);
	}
}

static void
wrong_options_are_refused_by_name(void **state)
{
	static const struct {
		const char *words[3];
		const char *text;
	} table[] = {{{"--cpus", ""}, "--cpus"}, {{"--cpus", "3-1"}, "'3-1'"},
		{{"--cpus", "2048"}, "above 2047"},
		{{"--cpus"}, "--cpus needs a value"}, {{"--cold", "-1"}, "'-1'"},
		{{"--cold", "1e3"}, "--cold"}, {{"--cold", "1."}, "--cold"},
		{{"--cold", ".5"}, "--cold"}, {{"--cold", "1.0000"}, "--cold"},
		{{"--cold", "604801"}, "604800"},
		{{"--budget", "99999999999999999999"}, "--budget"},
		{{"--budget", "nan"}, "--budget"}, {{"--cpus-pct", "0"}, "1 to 100"},
		{{"--cpus-pct", "101"}, "1 to 100"}, {{"--fast"}, "--fast"},
		{{"0-3"}, "unexpected argument 0-3"}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct probeargs a = {.cpus_pct = 77};
		struct err e = ERR_NONE;

		if (parse(table[i].words, &a, &e) != -EINVAL || a.cpus_pct != 77 ||
			strstr(e.text, table[i].text) == NULL)
			fail_msg("case %zu: '%s'", i, e.text);
	}
}

static void
help_names_every_option(void **state)
{
	static const char *const names[] = {"--cpus ", "--cold ", "--budget ",
		"--cpus-pct ", "--exhaustive", "--help", "--version"};
	char text[4096] = "";
	FILE *f = fmemopen(text, sizeof(text) - 1, "w");

	(void)state;
	probeargs_help(f);
	(void)fclose(f);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		assert_non_null(strstr(text, names[i]));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_options_there_are_defaults),
		cmocka_unit_test(all_options_are_read),
		cmocka_unit_test(seconds_may_have_three_places),
		cmocka_unit_test(wrong_options_are_refused_by_name),
		cmocka_unit_test(help_names_every_option),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
