// SPDX-License-Identifier: MIT
/* What --help and help print: each command's options, and no others. */
#include "config.h"

// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "cli/cmd.h"
#include "cli_run.h"
#include "ctl_world.h"

/* What is printed; it ends well and fits on a screen. */
static char *
help_of(struct ctl_world *w, const struct cli_how *how)
{
	struct cli_result r;
	char *text;

	cli_run(w, how, &r);
	assert_int_equal(r.status, CMD_OK);
	assert_string_equal(strbuf_text(&r.err), "");
	text = xstrdup(strbuf_text(&r.out));
	cli_expect_lines_within(text, 80);
	cli_result_fini(&r);
	return text;
}

/* The whole word or words, not the beginning of a longer one. */
static bool
has_word(const char *text, const char *word)
{
	for (const char *at = text; (at = strstr(at, word)) != NULL; at++) {
		if (strchr(" \n;", at[strlen(word)]) != NULL)
			return true;
	}
	return false;
}

static void
each_command_shows_its_options_and_no_others(void **state)
{
	for (const struct cmd *c = cmd_table; c->name != NULL; c++) {
		auto_free char *text =
			help_of(*state, &(struct cli_how){.args = {c->name, "--help"}});
		auto_free char *usage = xasprintf("Usage: qmpin %s ", c->name);

		assert_int_equal(strncmp(text, usage, strlen(usage)), 0);
		for (unsigned int o = ARGS_ALL; o <= ARGS_FORMAT_CSV; o <<= 1) {
			bool wanted = (c->options & o) != 0;

			if (has_word(text, args_option_name(o)) != wanted)
				fail_msg("%s: %s is %sthere", c->name,
					args_option_name(o), wanted ? "not " : "");
		}
	}
}

static void
help_with_a_command_is_that_commands(void **state)
{
	for (const struct cmd *c = cmd_table; c->name != NULL; c++) {
		auto_free char *one =
			help_of(*state, &(struct cli_how){.args = {"help", c->name}});
		auto_free char *other =
			help_of(*state, &(struct cli_how){.args = {"-h", c->name}});

		assert_string_equal(one, other);
	}
}

static void
help_alone_lists_the_commands_on_one_screen(void **state)
{
	auto_free char *text = help_of(*state, &(struct cli_how){.args = {"help"}});
	auto_free char *other = help_of(*state, &(struct cli_how){.args = {"--help"}});
	unsigned int lines = 0;

	assert_string_equal(text, other);
	for (const char *p = text; *p != '\0'; p++)
		lines += *p == '\n';
	assert_in_range(lines, 20, 40);
	for (const struct cmd *c = cmd_table; c->name != NULL; c++)
		assert_non_null(strstr(text, c->summary));
}

static void
words_of_its_tables_are_told_by_latency(void **state)
{
	static const char *const words[] = {"tier", "confidence", "trusted", "level"};
	auto_free char *text =
		help_of(*state, &(struct cli_how){.args = {"latency", "--help"}});

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		auto_free char *line = xasprintf("\n  %s ", words[i]);

		if (strstr(text, line) == NULL)
			fail_msg("%s is not explained", words[i]);
	}
}

static void
no_help_for_what_is_no_command(void **state)
{
	static const char *const cases[][2] = {
		{"nonsense", "-h"}, {"help", "nonsense"}};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct cli_result r;

		cli_run(*state, &(struct cli_how){.args = {cases[i][0], cases[i][1]}},
			&r);
		assert_int_equal(r.status, CMD_USAGE);
		assert_string_equal(strbuf_text(&r.out), "");
		assert_string_equal(strbuf_text(&r.err),
			"qmpin: no command 'nonsense' (qmpin help lists them)\n");
		cli_result_fini(&r);
	}
}

#define CASE(name) \
	cmocka_unit_test_setup_teardown(name, ctl_world_setup, ctl_world_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(each_command_shows_its_options_and_no_others),
		CASE(help_with_a_command_is_that_commands),
		CASE(help_alone_lists_the_commands_on_one_screen),
		CASE(words_of_its_tables_are_told_by_latency),
		CASE(no_help_for_what_is_no_command),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
