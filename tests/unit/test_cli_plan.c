// SPDX-License-Identifier: MIT
/*
 * qmpin plan: a line for each event, a picture and a table on a terminal, settings from
 * files and options, and what it says about what cannot be.
 */
#include "config.h"

// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/xalloc.h"
#include "cli/cmd.h"
#include "cli_run.h"
#include "ctl_world.h"
#include "topo/cpuset.h"

#define START "{\"ev\":\"start\",\"vm\":"

static int
set_up(void **state)
{
	*state = ctl_world_new(NULL);
	return 0;
}

static int
tear_down(void **state)
{
	ctl_world_free(*state);
	return 0;
}

static char *
data_file(const char *name)
{
	const char *srcdir = getenv("srcdir");

	return xasprintf("%s/tests/data/%s", srcdir != NULL ? srcdir : ".", name);
}

/* A file in the world's directory with this text; unlink_file it. */
static char *
new_file(const struct ctl_world *w, const char *name, const char *text)
{
	char *path = xasprintf("%s/%s", w->dir, name);
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
	return path;
}

static void
unlink_file(char *path)
{
	assert_int_equal(unlink(path), 0);
	free(path);
}

static unsigned int
count_lines(const char *text)
{
	unsigned int n = 0;

	for (; *text != '\0'; text++)
		n += *text == '\n';
	return n;
}

/* Runs on the host two-packages.xml; more arguments may follow. */
static void
run_plan(struct ctl_world *w, const char *scenario, const char *more, const char *value,
	struct cli_result *r)
{
	auto_free char *xml = data_file("latency/two-packages.xml");

	cli_run(w,
		&(struct cli_how){
			.args = {"plan", "--topology", xml, scenario, more, value}},
		r);
}

/* The masks of the first vCPU after the last line, as a list. */
static char *
last_mask(const char *lines, const char *id)
{
	const char *begin = strrchr(lines, '\n');
	struct cpuset set = CPUSET_NONE;
	char *text = xcalloc(CPUSET_TEXT_MAX, 1);
	json_t *list;

	while (begin > lines && begin[-1] != '\n')
		begin--;
	auto_json json_t *line = json_loads(begin, 0, NULL);
	assert_non_null(line);
	list = json_object_get(json_object_get(line, "vms"), id);
	list = json_array_get(json_object_get(list, "vcpus"), 0);
	assert_non_null(list);
	for (size_t i = 0; i < json_array_size(list); i++)
		cpuset_add(&set,
			(unsigned int)json_integer_value(json_array_get(list, i)));
	return cpuset_format(&set, text, CPUSET_TEXT_MAX);
}

/* ---- what comes out ---- */

static void
each_line_gives_a_line(void **state)
{
	auto_free char *scenario = data_file("plan/what-if.jsonl");
	struct cli_result r;

	run_plan(*state, scenario, NULL, NULL, &r);
	assert_string_equal(strbuf_text(&r.err), "");
	assert_int_equal(r.status, CMD_OK);
	assert_int_equal(count_lines(strbuf_text(&r.out)), 8);
	assert_ptr_equal(
		strstr(strbuf_text(&r.out), "{\"vms\":{}}\n{\"vms\":{\"100\":"),
		strbuf_text(&r.out));
	cli_result_fini(&r);
}

static void
file_gets_the_same_lines(void **state)
{
	struct ctl_world *w = *state;
	auto_free char *scenario = data_file("plan/what-if.jsonl");
	auto_free char *path = xasprintf("%s/out", w->dir);
	struct strbuf text = {0};
	struct cli_result lines;
	struct cli_result r;
	char chunk[4096];
	size_t n;
	FILE *f;

	run_plan(w, scenario, NULL, NULL, &lines);
	run_plan(w, scenario, "-o", path, &r);
	assert_int_equal(r.status, CMD_OK);
	assert_string_equal(strbuf_text(&r.out), "");
	f = fopen(path, "r");
	assert_non_null(f);
	while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0)
		strbuf_add(&text, chunk, n);
	(void)fclose(f);
	assert_string_equal(strbuf_text(&text), strbuf_text(&lines.out));
	assert_int_equal(unlink(path), 0);
	strbuf_fini(&text);
	cli_result_fini(&lines);
	cli_result_fini(&r);
}

static void
dash_is_standard_output(void **state)
{
	auto_free char *scenario = data_file("plan/what-if.jsonl");
	struct cli_result r;

	run_plan(*state, scenario, "-o", "-", &r);
	assert_int_equal(r.status, CMD_OK);
	assert_int_equal(count_lines(strbuf_text(&r.out)), 8);
	cli_result_fini(&r);
}

static void
terminal_shows_a_picture_and_a_table(void **state)
{
	auto_free char *scenario = data_file("plan/what-if.jsonl");
	auto_free char *xml = data_file("latency/two-packages.xml");
	struct cli_result r;
	const char *text;

	cli_run(*state,
		&(struct cli_how){.args = {"plan", "--topology", xml, scenario},
			.columns = 80,
			.env = "NO_COLOR=1"},
		&r);
	text = strbuf_text(&r.out);
	assert_int_equal(r.status, CMD_OK);
	cli_expect_lines_within(text, 80);
	assert_non_null(strstr(text, "31 CPUs, 16 cores, 4 L3 groups, 2 nodes"));
	assert_non_null(strstr(text, "offline  9\r\n"));
	assert_non_null(strstr(text, "\r\nVM  VCPUS MODE"));
	assert_non_null(strstr(text, "\r\n101     8 auto "));
	assert_non_null(strstr(text, "\r\n102    12 pin "));
	assert_null(strstr(text, "103"));
	assert_null(strchr(text, '\x1b'));
	cli_result_fini(&r);
}

static void
terminal_has_colours_and_pipes_have_none(void **state)
{
	auto_free char *scenario = data_file("plan/what-if.jsonl");
	auto_free char *xml = data_file("latency/two-packages.xml");
	struct cli_how how = {.args = {"plan", "--topology", xml, scenario,
				      "--output-format", "text"},
		.columns = 80};
	struct cli_result r;

	cli_run(*state, &how, &r);
	assert_non_null(strstr(strbuf_text(&r.out), "\x1b[3"));
	assert_non_null(strstr(strbuf_text(&r.out), "\xe2\x96\x88"));
	cli_result_fini(&r);
	how.columns = 0;
	cli_run(*state, &how, &r);
	assert_int_equal(r.status, CMD_OK);
	assert_null(strchr(strbuf_text(&r.out), '\x1b'));
	assert_non_null(strstr(strbuf_text(&r.out), "####"));
	cli_result_fini(&r);
}

static void
json_on_a_terminal_is_lines_too(void **state)
{
	auto_free char *scenario = data_file("plan/what-if.jsonl");
	auto_free char *xml = data_file("latency/two-packages.xml");
	struct cli_result r;

	cli_run(*state,
		&(struct cli_how){.args = {"plan", "-j", "--topology", xml, scenario},
			.columns = 80},
		&r);
	assert_int_equal(count_lines(strbuf_text(&r.out)), 8);
	cli_result_fini(&r);
}

static void
reasons_are_text(void **state)
{
	auto_free char *scenario = data_file("plan/what-if.jsonl");
	struct cli_result r;

	run_plan(*state, scenario, "--explain", NULL, &r);
	assert_int_equal(r.status, CMD_OK);
	assert_non_null(strstr(strbuf_text(&r.out), "\nvm 101: "));
	assert_non_null(strstr(strbuf_text(&r.out), "\nVM  VCPUS MODE"));
	cli_result_fini(&r);
}

/* ---- a host alone ---- */

static void
topology_alone_is_shown(void **state)
{
	auto_free char *xml = data_file("latency/two-packages.xml");

	cli_expect_text(*state,
		&(struct cli_how){.args = {"plan", "--topology", xml, "--set",
					  "reserved_cpus=0,16"}},
		"32 CPUs, 16 cores, 4 L3 groups, 2 nodes, 2 packages\n"
		"reserved 0,16\n"
		"\n"
		"node 0-1  0-31  ........ 0.0/16 each\n"
		"\n"
		"tiers, from near to far: their latency and domains\n"
		"core        9.0 ns  0-1  2-3  4-5  6-7  8-9  10-11  12-13  14-15  16-17"
		"  18-19\n"
		"                    20-21  22-23  24-25  26-27  28-29  30-31\n"
		"l3         25.0 ns  0-7  8-15  16-23  24-31\n"
		"node       95.0 ns  0-15  16-31\n"
		"host      200.0 ns  0-31\n");
}

static void
topology_alone_is_json_where_asked_for(void **state)
{
	auto_free char *xml = data_file("latency/two-packages.xml");
	auto_free char *csv = data_file("latency/two-packages.csv");
	struct cli_result r;
	json_t *tiers;

	cli_run(*state,
		&(struct cli_how){
			.args = {"plan", "--topology", xml, "--latency", csv, "-j"}},
		&r);
	assert_int_equal(r.status, CMD_OK);
	auto_json json_t *host = json_loads(strbuf_text(&r.out), 0, NULL);
	assert_string_equal(json_string_value(json_object_get(host, "cpus")), "0-31");
	assert_true(json_is_true(json_object_get(host, "trusted")));
	tiers = json_object_get(host, "tiers");
	assert_int_equal(json_array_size(tiers), 4);
	assert_int_equal(
		json_array_size(json_object_get(json_array_get(tiers, 1), "domains")),
		4);
	cli_result_fini(&r);
}

/* Nothing is known of such a host but its latencies. */
static void
latencies_alone_are_a_host(void **state)
{
	auto_free char *csv = data_file("latency/two-packages.csv");
	auto_free char *scenario = new_file(*state, "s", START "1,\"vcpus\":8}\n");
	auto_free char *mask = NULL;
	struct cli_result r;

	cli_run(*state, &(struct cli_how){.args = {"plan", "--latency", csv, scenario}},
		&r);
	assert_string_equal(strbuf_text(&r.err), "");
	assert_int_equal(r.status, CMD_OK);
	mask = last_mask(strbuf_text(&r.out), "1");
	assert_string_equal(mask, "0-7"); /* a measured cluster */
	cli_result_fini(&r);
	unlink_file(take_ptr(&scenario));
}

/* ---- settings ---- */

static void
settings_come_from_options_and_files(void **state)
{
	static const struct {
		const char *config; /* NULL: none */
		const char *set;
		const char *mask;
	} cases[] = {
		{NULL, "reserved_cpus=0-15,17-31", "16"},
		{NULL, "mode=observe", "0-31"},
		{"[qmpin]\nreserved_cpus = 0-27,29-31\n", "mode=float", "28"},
		{"[qmpin]\nmode = pin\n[vm 100]\nmode = off\n", "mode=pin", "0-31"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct ctl_world *w = *state;
		auto_free char *xml = data_file("latency/two-packages.xml");
		char *scenario = new_file(w, "s", START "100,\"vcpus\":1}\n");
		char *config = new_file(
			w, "c", cases[i].config != NULL ? cases[i].config : "");
		auto_free char *mask = NULL;
		struct cli_result r;

		cli_run(w,
			&(struct cli_how){
				.args = {"plan", "--topology", xml, scenario, "--set",
					cases[i].set, "--config", config}},
			&r);
		assert_string_equal(strbuf_text(&r.err), "");
		assert_int_equal(r.status, CMD_OK);
		mask = last_mask(strbuf_text(&r.out), "100");
		if (strcmp(mask, cases[i].mask) != 0)
			fail_msg("case %zu: %s", i, mask);
		cli_result_fini(&r);
		unlink_file(config);
		unlink_file(scenario);
	}
}

static void
scenario_is_stronger_than_settings(void **state)
{
	char *config = new_file(*state, "c", "[vm 100]\nmode = off\n");
	char *scenario = new_file(*state, "s",
		START "100,\"vcpus\":1,\"mode\":\"pin\",\"affinity\":\"5\"}\n");
	auto_free char *mask = NULL;
	struct cli_result r;

	run_plan(*state, scenario, "--config", config, &r);
	mask = last_mask(strbuf_text(&r.out), "100");
	assert_string_equal(mask, "5");
	cli_result_fini(&r);
	unlink_file(config);
	unlink_file(scenario);
}

static void
wrong_settings_are_told_with_their_place(void **state)
{
	static const struct {
		const char *option;
		const char *value; /* of --config: the file's text */
		int status;
		const char *err;
	} cases[] = {
		{"--set", "mode=fast", CMD_FAILED,
			"qmpin: --set: mode: \"fast\" is not one of"},
		{"--set", "colour=red", CMD_FAILED,
			"qmpin: --set: unknown key \"colour\""},
		{"--set", "mode", CMD_USAGE, "qmpin: --set 'mode' is no KEY=VALUE"},
		{"--set", "=1", CMD_USAGE, "qmpin: --set '=1' is no KEY=VALUE"},
		{"--config", "[qmpin]\n\nmode = fast\n", CMD_FAILED,
			"c:3: mode: \"fast\" is not one of"},
		{"--config", "[qmpin]\ncolour = red\n", CMD_OK,
			"c:2: unknown key \"colour\" in [qmpin]"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		bool file = strcmp(cases[i].option, "--config") == 0;
		char *scenario = new_file(*state, "s", START "1,\"vcpus\":1}\n");
		char *config = new_file(*state, "c", cases[i].value);
		struct cli_result r;

		run_plan(*state, scenario, cases[i].option,
			file ? config : cases[i].value, &r);
		if (r.status != cases[i].status ||
			strstr(strbuf_text(&r.err), cases[i].err) == NULL)
			fail_msg("case %zu: %d %s", i, r.status, strbuf_text(&r.err));
		assert_int_equal(count_lines(strbuf_text(&r.err)), 1);
		cli_result_fini(&r);
		unlink_file(config);
		unlink_file(scenario);
	}
}

/* ---- what cannot be ---- */

/* Told with its line, and the others are planned. */
static void
events_that_cannot_be_are_left_out(void **state)
{
	static const struct {
		const char *text; /* the second line; a VM 1 with a vCPU runs */
		const char *err;
	} cases[] = {
		{START "1,\"vcpus\":1}", "s:2: vm 1 "},
		{START "9,\"vcpus\":0}", "s:2: vm 9: \"vcpus\" 0 is not"},
		{START "9,\"vcpus\":1,\"mem_gib\":-4}", "s:2: vm 9: \"mem_gib\" -4"},
		{"{\"ev\":\"stop\",\"vm\":9}", "s:2: vm 9 "},
		{"{\"ev\":\"hotplug\",\"vm\":9,\"vcpus\":1}", "s:2: vm 9 "},
		{"{\"ev\":\"hotplug\",\"vm\":1,\"vcpus\":2}", "s:2: vm 1 "},
		{"{\"ev\":\"cpu_offline\",\"cpu\":32}", "s:2: CPU 32 "},
		{"{\"ev\":\"cpu_online\",\"cpu\":3}", "s:2: CPU 3 "},
		{"{\"ev\":\"host\",\"t\":-1}", "s:2: time goes back"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		auto_free char *text =
			xasprintf(START "1,\"vcpus\":1}\n%s\n" START "2,\"vcpus\":1}\n",
				cases[i].text);
		char *scenario = new_file(*state, "s", text);
		struct cli_result r;

		run_plan(*state, scenario, NULL, NULL, &r);
		if (r.status != CMD_PARTLY ||
			strstr(strbuf_text(&r.err), cases[i].err) == NULL)
			fail_msg("case %zu: %d %s", i, r.status, strbuf_text(&r.err));
		assert_int_equal(count_lines(strbuf_text(&r.err)), 1);
		assert_int_equal(count_lines(strbuf_text(&r.out)), 3);
		free(last_mask(strbuf_text(&r.out), "2"));
		cli_result_fini(&r);
		unlink_file(scenario);
	}
}

/* They end it all, and no file is made. */
static void
lines_that_are_no_events_end_it(void **state)
{
	static const struct {
		const char *text;
		const char *err;
	} cases[] = {
		{"{\"ev\":\"start\"", "s:2: not JSON"},
		{"{\"ev\":\"start\",\"vm\":2}", "s:2: vm 2: \"vcpus\" is missing"},
		{START "2,\"vcpus\":\"two\"}", "s:2: vm 2: \"vcpus\" \"two\" is not"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct ctl_world *w = *state;
		auto_free char *path = xasprintf("%s/out", w->dir);
		auto_free char *text =
			xasprintf(START "1,\"vcpus\":1}\n%s\n" START "3,\"vcpus\":1}\n",
				cases[i].text);
		char *scenario = new_file(w, "s", text);
		struct cli_result r;

		run_plan(w, scenario, "-o", path, &r);
		if (r.status != CMD_FAILED ||
			strstr(strbuf_text(&r.err), cases[i].err) == NULL)
			fail_msg("case %zu: %d %s", i, r.status, strbuf_text(&r.err));
		assert_int_equal(count_lines(strbuf_text(&r.err)), 1);
		assert_int_equal(access(path, F_OK), -1);
		cli_result_fini(&r);
		unlink_file(scenario);
	}
}

static void
unknown_keys_are_told_once(void **state)
{
	char *scenario = new_file(*state, "s",
		START "1,\"vcpus\":1,\"os\":\"l26\"}\n" START
		      "2,\"vcpus\":1,\"os\":\"l26\"}\n");
	struct cli_result r;

	run_plan(*state, scenario, NULL, NULL, &r);
	assert_int_equal(r.status, CMD_OK);
	assert_non_null(
		strstr(strbuf_text(&r.err), "s:1: unknown key \"os\" is ignored\n"));
	assert_int_equal(count_lines(strbuf_text(&r.err)), 1);
	cli_result_fini(&r);
	unlink_file(scenario);
}

static void
long_lines_are_told_with_their_number(void **state)
{
	struct strbuf b = {0};
	struct cli_result r;
	char *scenario;

	strbuf_adds(&b, START "1,\"vcpus\":1}\n{\"ev\":\"");
	while (b.len < 2 * 1024 * 1024)
		strbuf_adds(&b, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
	scenario = new_file(*state, "s", b.s);
	run_plan(*state, scenario, NULL, NULL, &r);
	assert_int_equal(r.status, CMD_FAILED);
	assert_non_null(strstr(strbuf_text(&r.err), "s:2: line is longer than 1 MiB"));
	cli_result_fini(&r);
	strbuf_fini(&b);
	unlink_file(scenario);
}

static void
wrong_arguments_are_usage_errors(void **state)
{
	static const struct {
		const char *args[CLI_ARGS_MAX];
		const char *err;
	} cases[] = {
		{{"plan"}, "needs a SCENARIO"},
		{{"plan", "--set", "mode=pin"}, "needs a SCENARIO"},
		{{"plan", "--topology", "x", "-o", "f"}, "about a SCENARIO"},
		{{"plan", "--topology", "x", "--explain"}, "about a SCENARIO"},
		{{"plan", "s", "--explain", "-j"}, "--explain is text"},
		{{"plan", "s", "--explain", "-o", "f"}, "--explain is text"},
		{{"plan", "s", "t"}, "too many arguments"},
		{{"plan", "s", "--cpus", "0-1"}, "no option '--cpus'"},
		{{"plan", "s", "--config", ""}, "--config needs a file"},
		{{"latency", "--set", "mode=pin"}, "no option '--set'"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct cli_how how = {.env = NULL};
		struct cli_result r;

		memcpy(how.args, cases[i].args, sizeof(how.args));
		cli_run(*state, &how, &r);
		if (r.status != CMD_USAGE ||
			strstr(strbuf_text(&r.err), cases[i].err) == NULL)
			fail_msg("case %zu: %d %s", i, r.status, strbuf_text(&r.err));
		assert_int_equal(count_lines(strbuf_text(&r.err)), 1);
		cli_result_fini(&r);
	}
}

static void
files_that_are_not_there_are_told(void **state)
{
	struct cli_result r;

	run_plan(*state, "/nonexistent", NULL, NULL, &r);
	assert_int_equal(r.status, CMD_FAILED);
	assert_string_equal(strbuf_text(&r.err),
		"qmpin: /nonexistent: No such file or directory\n");
	cli_result_fini(&r);
	run_plan(*state, "/", NULL, NULL, &r);
	assert_int_equal(r.status, CMD_FAILED);
	assert_string_equal(strbuf_text(&r.err), "qmpin: /: Is a directory\n");
	cli_result_fini(&r);
	run_plan(*state, "/dev/null", "-o", "/nonexistent/out", &r);
	assert_int_equal(r.status, CMD_FAILED);
	assert_non_null(strstr(strbuf_text(&r.err), "cannot write /nonexistent/out"));
	cli_result_fini(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			each_line_gives_a_line, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			file_gets_the_same_lines, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			dash_is_standard_output, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			terminal_shows_a_picture_and_a_table, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			terminal_has_colours_and_pipes_have_none, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			json_on_a_terminal_is_lines_too, set_up, tear_down),
		cmocka_unit_test_setup_teardown(reasons_are_text, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			topology_alone_is_shown, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			topology_alone_is_json_where_asked_for, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			latencies_alone_are_a_host, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			settings_come_from_options_and_files, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			scenario_is_stronger_than_settings, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			wrong_settings_are_told_with_their_place, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			events_that_cannot_be_are_left_out, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			lines_that_are_no_events_end_it, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			unknown_keys_are_told_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			long_lines_are_told_with_their_number, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			wrong_arguments_are_usage_errors, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			files_that_are_not_there_are_told, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
