// SPDX-License-Identifier: MIT
/*
 * qmpin heatmap: what goes to a pipe, to terminals of several kinds and to a file.
 */
#include "config.h"

// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/xalloc.h"
#include "cli/cmd.h"
#include "cli_run.h"
#include "ctl_world.h"

static void
expect_has(const char *text, const char *what, bool want)
{
	if ((strstr(text, what) != NULL) != want)
		fail_msg("'%s' is %sthere: %s", what, want ? "not " : "", text);
}

/* It ends well; what it printed, to be freed. */
static char *
output_of(struct ctl_world *w, const struct cli_how *how)
{
	struct cli_result r;
	char *text;

	cli_run(w, how, &r);
	if (r.status != CMD_OK)
		fail_msg("status %d, %s", r.status, strbuf_text(&r.err));
	assert_string_equal(strbuf_text(&r.err), "");
	text = xstrdup(strbuf_text(&r.out));
	cli_result_fini(&r);
	return text;
}

static void
expect_status(
	struct ctl_world *w, const struct cli_how *how, int status, const char *words)
{
	struct cli_result r;

	cli_run(w, how, &r);
	assert_int_equal(r.status, status);
	assert_string_equal(strbuf_text(&r.out), "");
	expect_has(strbuf_text(&r.err), words, true);
	cli_result_fini(&r);
}

static void
a_pipe_gets_plain_characters_for_80_columns(void **state)
{
	auto_free char *text =
		output_of(*state, &(struct cli_how){.args = {"heatmap"}});

	expect_has(text, "\033", false);
	expect_has(text, "\nmeasured\n16 CPUs, trusted\n", true);
	expect_has(text, "\ntier 1: ", true);
	cli_expect_lines_within(text, 80);
}

static void
columns_of_the_environment_count_in_a_pipe(void **state)
{
	auto_free char *text = output_of(
		*state, &(struct cli_how){.args = {"heatmap"}, .env = "COLUMNS=40"});

	cli_expect_lines_within(text, 40);
}

static void
a_terminal_gets_the_colours_it_has(void **state)
{
	static const struct {
		const char *env;
		const char *has;
		const char *lacks;
	} cases[] = {
		{"COLORTERM=", "\033[48;5;", ";2;"},
		{"COLORTERM=truecolor", "\033[48;2;", ";5;"},
		{"COLORTERM=24bit", "\033[48;2;", ";5;"},
		{"NO_COLOR=1", "tier 1", "\033"},
		{"TERM=dumb", "tier 1", "\033"},
		/* No block characters there. */
		{"LC_ALL=C", "tier 1", "\033"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		auto_free char *text =
			output_of(*state, &(struct cli_how){.args = {"heatmap"},
						  .columns = 100,
						  .env = cases[i].env});

		print_message("%s\n", cases[i].env);
		expect_has(text, cases[i].has, true);
		expect_has(text, cases[i].lacks, false);
	}
}

static void
a_narrow_terminal_gets_blocks(void **state)
{
	auto_free char *text = output_of(
		*state, &(struct cli_how){.args = {"heatmap"}, .columns = 40});

	expect_has(text, "\xe2\x96\x80", true);
}

static void
vms_are_shown_when_asked_for(void **state)
{
	struct ctl_world *w = *state;
	auto_free char *without = output_of(w, &(struct cli_how){.args = {"heatmap"}});
	auto_free char *with =
		output_of(w, &(struct cli_how){.args = {"heatmap", "--affinity"}});

	expect_has(without, "web-1", false);
	expect_has(with, "web-1\n", true);
	/* By id, as ps has them. */
	assert_true(strstr(with, "\n100 ") < strstr(with, "\n101 "));
}

static void
names_are_harmless(void **state)
{
	struct ctl_world *w = *state;
	auto_free char *path = xasprintf("%s/map.svg", w->dir);
	auto_free char *text = NULL;
	auto_free char *svg = NULL;

	w->hostile = true;
	text = output_of(w, &(struct cli_how){.args = {"heatmap", "--affinity"}});
	expect_has(text, "\033", false);
	svg = output_of(
		w, &(struct cli_how){.args = {"heatmap", "--affinity", "-o", path}});
	free(svg);
	svg = cli_read_file(path);
	expect_has(svg, "\033", false);
	assert_int_equal(unlink(path), 0);
}

static void
a_file_is_written_and_nothing_printed(void **state)
{
	struct ctl_world *w = *state;
	auto_free char *path = xasprintf("%s/map.svg", w->dir);
	auto_free char *text =
		output_of(w, &(struct cli_how){.args = {"heatmap", "-o", path}});
	auto_free char *svg = cli_read_file(path);

	assert_string_equal(text, "");
	assert_memory_equal(svg, "<?xml ", 6);
	expect_has(svg, "</svg>\n", true);
	expect_has(svg, "Latencies between the CPUs of ", true);
	assert_int_equal(unlink(path), 0);
}

static void
a_dash_is_a_picture_for_a_pipe(void **state)
{
	auto_free char *svg =
		output_of(*state, &(struct cli_how){.args = {"heatmap", "-o", "-"}});

	assert_memory_equal(svg, "<?xml ", 6);
}

static void
json_is_what_the_daemon_says(void **state)
{
	auto_free char *text =
		output_of(*state, &(struct cli_how){.args = {"heatmap", "-j"}});
	auto_json json_t *reply = json_loads(text, 0, NULL);

	assert_true(json_is_array(json_object_get(reply, "tiers")));
	assert_int_equal(json_array_size(json_object_get(reply, "rows")), 16);
}

static void
other_pictures_are_refused(void **state)
{
	struct ctl_world *w = *state;
	auto_free char *path = xasprintf("%s/map.png", w->dir);

	expect_status(w, &(struct cli_how){.args = {"heatmap", "-o", path}}, CMD_USAGE,
		".svg");
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(errno, ENOENT);
}

static void
a_file_that_cannot_be_written_is_told(void **state)
{
	struct ctl_world *w = *state;
	auto_free char *path = xasprintf("%s/none/map.svg", w->dir);

	expect_status(w, &(struct cli_how){.args = {"heatmap", "-o", path}}, CMD_FAILED,
		"none/map.svg");
}

static void
without_a_daemon_vms_cannot_be_shown(void **state)
{
	struct ctl_world *w = *state;
	const char *nowhere = "/nonexistent";

	expect_status(w,
		&(struct cli_how){
			.args = {"--run-dir", nowhere, "heatmap", "--affinity"}},
		CMD_NO_DAEMON, "qmpin: ");
	expect_status(w, &(struct cli_how){.args = {"--run-dir", nowhere, "heatmap"}},
		CMD_NO_DAEMON, "qmpin: ");
}

static void
a_host_without_vms_is_told(void **state)
{
	struct ctl_world *w = *state;
	struct cli_result r;

	w->n_vms = 0;
	cli_run(w, &(struct cli_how){.args = {"heatmap", "--affinity"}}, &r);
	assert_int_equal(r.status, CMD_OK);
	assert_string_equal(strbuf_text(&r.err), "qmpin: no VMs\n");
	expect_has(strbuf_text(&r.out), "tier 1", true);
	cli_result_fini(&r);
}

#define CASE(name) \
	cmocka_unit_test_setup_teardown(name, ctl_world_setup, ctl_world_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_pipe_gets_plain_characters_for_80_columns),
		CASE(columns_of_the_environment_count_in_a_pipe),
		CASE(a_terminal_gets_the_colours_it_has),
		CASE(a_narrow_terminal_gets_blocks),
		CASE(vms_are_shown_when_asked_for),
		CASE(names_are_harmless),
		CASE(a_host_without_vms_is_told),
		CASE(a_file_is_written_and_nothing_printed),
		CASE(a_dash_is_a_picture_for_a_pipe),
		CASE(json_is_what_the_daemon_says),
		CASE(other_pictures_are_refused),
		CASE(a_file_that_cannot_be_written_is_told),
		CASE(without_a_daemon_vms_cannot_be_shown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
