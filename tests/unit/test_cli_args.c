// SPDX-License-Identifier: MIT
/* The command line: options anywhere, wrong ones told. */
#include "config.h"

// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <errno.h>
#include <string.h>

#include "cli/args.h"

#define WORDS_MAX 8

static int
parse(const char *const *words, const char *env, struct args *out, struct err *e)
{
	static char storage[WORDS_MAX + 1][64];
	static char *argv[WORDS_MAX + 2];
	int argc = 1;

	argv[0] = strcpy(storage[0], "qmpin");
	for (; words[argc - 1] != NULL; argc++)
		argv[argc] = strcpy(storage[argc], words[argc - 1]);
	argv[argc] = NULL;
	return args_parse(argc, argv, env, out, e);
}

static void
options_may_stand_anywhere(void **state)
{
	static const char *const cases[][WORDS_MAX] = {
		{"--run-dir", "/x", "-j", "--no-heading", "ps", "103"},
		{"ps", "103", "--run-dir=/x", "-j", "--no-heading"},
		{"-j", "ps", "--run-dir", "/x", "103", "--no-heading"},
		{"--output-format=json", "--run-dir=/x", "ps", "--no-heading", "--",
			"103"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e = ERR_NONE;
		struct args a;

		if (parse(cases[i], NULL, &a, &e) != 0)
			fail_msg("case %zu: %s", i, e.text);
		assert_string_equal(a.run_dir, "/x");
		assert_int_equal(a.format, ARGS_JSON);
		assert_false(a.heading);
		assert_string_equal(a.command, "ps");
		assert_int_equal(a.n_operands, 1);
		assert_string_equal(a.operands[0], "103");
	}
}

static void
defaults_are_text_with_heading_on_the_usual_directory(void **state)
{
	static const char *const words[] = {"ps", NULL};
	struct args a;

	(void)state;
	assert_int_equal(parse(words, NULL, &a, NULL), 0);
	assert_string_equal(a.run_dir, "/run/qmpin");
	assert_int_equal(a.format, ARGS_TEXT);
	assert_true(a.heading);
	assert_false(a.help || a.version);
	assert_int_equal(a.n_operands, 0);
	assert_int_equal(parse(words, "", &a, NULL), 0);
	assert_string_equal(a.run_dir, "/run/qmpin");
}

static void
option_beats_environment_beats_default(void **state)
{
	static const char *const plain[] = {"ps", NULL};
	static const char *const given[] = {"ps", "--run-dir", "/option", NULL};
	struct args a;

	(void)state;
	assert_int_equal(parse(plain, "/env", &a, NULL), 0);
	assert_string_equal(a.run_dir, "/env");
	assert_int_equal(parse(given, "/env", &a, NULL), 0);
	assert_string_equal(a.run_dir, "/option");
}

static void
lines_are_a_number(void **state)
{
	static const struct {
		const char *words[WORDS_MAX];
		unsigned int lines;
	} cases[] = {
		{{"monitor"}, 10},
		{{"monitor", "-n", "0"}, 0},
		{{"-n7", "monitor", "103"}, 7},
		{{"monitor", "--lines", "1000000"}, 1000000},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct args a;

		assert_int_equal(parse(cases[i].words, NULL, &a, NULL), 0);
		assert_int_equal(a.lines, cases[i].lines);
		assert_int_equal((a.given & ARGS_LINES) != 0, i > 0);
	}
}

static void
nothing_is_no_command(void **state)
{
	static const char *const words[] = {NULL};
	struct args a;

	(void)state;
	assert_int_equal(parse(words, NULL, &a, NULL), 0);
	assert_null(a.command);
}

static void
wrong_options_are_told_and_the_output_left_alone(void **state)
{
	static const struct {
		const char *words[WORDS_MAX];
		const char *text;
	} cases[] = {
		{{"--foo"}, "unknown option '--foo'"},
		{{"ps", "--foo=1"}, "unknown option '--foo=1'"},
		{{"-x", "ps"}, "unknown option '-x'"},
		{{"-jx", "ps"}, "unknown option '-x'"},
		{{"ps", "--run-dir"}, "option '--run-dir' needs an argument"},
		{{"ps", "--run-dir="}, "--run-dir needs a directory"},
		{{"--no-heading=1", "ps"}, "option '--no-heading=1' takes no argument"},
		{{"--output-format", "xml", "ps"},
			"no output format 'xml': text, json or json-pretty "
			"(latency: csv, too)"},
		{{"monitor", "-n"}, "option '-n' needs an argument"},
		{{"monitor", "-n", "-3"}, "--lines '-3' is no number up to 1000000"},
		{{"monitor", "-n1x"}, "--lines '1x' is no number up to 1000000"},
		{{"monitor", "--lines=1000001"},
			"--lines '1000001' is no number up to 1000000"},
		{{"--\x1b[1m"}, "unknown option '--\\x1b[1m'"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct args a = {.command = "before"};
		struct err e = ERR_NONE;

		if (parse(cases[i].words, NULL, &a, &e) != -EINVAL ||
			strcmp(e.text, cases[i].text) != 0)
			fail_msg("case %zu: %s", i, e.text);
		assert_string_equal(a.command, "before");
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_may_stand_anywhere),
		cmocka_unit_test(defaults_are_text_with_heading_on_the_usual_directory),
		cmocka_unit_test(option_beats_environment_beats_default),
		cmocka_unit_test(lines_are_a_number),
		cmocka_unit_test(nothing_is_no_command),
		cmocka_unit_test(wrong_options_are_told_and_the_output_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
