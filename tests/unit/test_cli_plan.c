// SPDX-License-Identifier: MIT
/*
 * qmpin plan: a line for each event, a picture and a table on a terminal, settings from
 * files and options.
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
#include "plan_run.h"

/* ---- what comes out ---- */

static void
each_line_gives_a_line(void **state)
{
	auto_free char *scenario = plan_data_file("plan/what-if.jsonl");
	struct cli_result r;

	plan_run(*state, scenario, NULL, NULL, &r);
	assert_string_equal(strbuf_text(&r.err), "");
	assert_int_equal(r.status, CMD_OK);
	assert_int_equal(plan_count_lines(strbuf_text(&r.out)), 8);
	assert_ptr_equal(
		strstr(strbuf_text(&r.out), "{\"vms\":{}}\n{\"vms\":{\"100\":"),
		strbuf_text(&r.out));
	cli_result_fini(&r);
}

static void
file_gets_the_same_lines(void **state)
{
	struct ctl_world *w = *state;
	auto_free char *scenario = plan_data_file("plan/what-if.jsonl");
	auto_free char *path = xasprintf("%s/out", w->dir);
	struct strbuf text = {0};
	struct cli_result lines;
	struct cli_result r;
	char chunk[4096];
	size_t n;
	FILE *f;

	plan_run(w, scenario, NULL, NULL, &lines);
	plan_run(w, scenario, "-o", path, &r);
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
	auto_free char *scenario = plan_data_file("plan/what-if.jsonl");
	struct cli_result r;

	plan_run(*state, scenario, "-o", "-", &r);
	assert_int_equal(r.status, CMD_OK);
	assert_int_equal(plan_count_lines(strbuf_text(&r.out)), 8);
	cli_result_fini(&r);
}

static void
terminal_shows_a_picture_and_a_table(void **state)
{
	auto_free char *scenario = plan_data_file("plan/what-if.jsonl");
	auto_free char *xml = plan_data_file("latency/two-packages.xml");
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
	assert_non_null(strstr(text, "\r\n102     4 pin "));
	/* nothing of the reasons is lost */
	assert_non_null(strstr(text, "EMULATOR\r\n100     6 auto"));
	assert_non_null(strstr(
		text, " same\r\n    8 CPUs for 6 vCPUs, kept, memory 100 % local\r\n"));
	assert_null(strstr(strstr(text, "\r\nVM "), ".."));
	assert_null(strstr(text, "103"));
	assert_null(strchr(text, '\x1b'));
	cli_result_fini(&r);
}

static void
terminal_has_colours_and_pipes_have_none(void **state)
{
	auto_free char *scenario = plan_data_file("plan/what-if.jsonl");
	auto_free char *xml = plan_data_file("latency/two-packages.xml");
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
	auto_free char *scenario = plan_data_file("plan/what-if.jsonl");
	auto_free char *xml = plan_data_file("latency/two-packages.xml");
	struct cli_result r;

	cli_run(*state,
		&(struct cli_how){.args = {"plan", "-j", "--topology", xml, scenario},
			.columns = 80},
		&r);
	assert_int_equal(plan_count_lines(strbuf_text(&r.out)), 8);
	cli_result_fini(&r);
}

static void
reasons_are_text(void **state)
{
	auto_free char *scenario = plan_data_file("plan/what-if.jsonl");
	struct cli_result r;

	plan_run(*state, scenario, "--explain", NULL, &r);
	assert_int_equal(r.status, CMD_OK);
	assert_non_null(strstr(strbuf_text(&r.out), "\nvm 101: "));
	assert_non_null(strstr(strbuf_text(&r.out), "\nVM  VCPUS MODE"));
	cli_result_fini(&r);
}

/* What all VMs have in common stands in front of them, and only there. */
static void
rules_of_the_host_are_said_once(void **state)
{
	char *scenario = plan_new_file(*state, "s",
		START "1,\"vcpus\":2}\n" START "2,\"vcpus\":2}\n" START
		      "3,\"vcpus\":3,\"mode\":\"dedicated\"}\n" START
		      "4,\"vcpus\":4,\"mode\":\"observe\",\"memnodes\":{\"1\":2}}\n");
	auto_free char *xml = plan_data_file("latency/two-packages.xml");
	struct cli_result r;
	const char *text;
	const char *at;

	cli_run(*state,
		&(struct cli_how){.args = {"plan", "--topology", xml, scenario,
					  "--explain", "--set", "reserved_cpus=0-1"}},
		&r);
	text = strbuf_text(&r.out);
	at = strstr(text, "\nfor all VMs:\n"
			  "  reserved_cpus keeps CPUs 0-1 for the host\n");
	assert_non_null(at);
	assert_non_null(strstr(at, " are vm 3's alone\n\nvm 1: "));
	assert_null(strstr(at, "bound by: reserved_cpus"));
	assert_null(strstr(at, "bound by: cores that are other VMs' alone"));
	assert_non_null(
		strstr(at, "next best: none: it keeps the cores that are its alone"));
	assert_non_null(strstr(at, "\nvm 4: would be on "));
	assert_non_null(strstr(at, "memory would be 100 % local"));
	cli_result_fini(&r);
	plan_unlink_file(scenario);
}

static void
without_such_rules_there_is_no_heading(void **state)
{
	char *scenario = plan_new_file(*state, "s", START "1,\"vcpus\":2}\n");
	struct cli_result r;

	plan_run(*state, scenario, "--explain", NULL, &r);
	assert_non_null(strstr(strbuf_text(&r.out), "\nvm 1: "));
	assert_null(strstr(strbuf_text(&r.out), "for all VMs"));
	cli_result_fini(&r);
	plan_unlink_file(scenario);
}

/* ---- a host alone ---- */

static void
topology_alone_is_shown(void **state)
{
	auto_free char *xml = plan_data_file("latency/two-packages.xml");

	cli_expect_text(*state,
		&(struct cli_how){.args = {"plan", "--topology", xml, "--set",
					  "reserved_cpus=0,16"}},
		"32 CPUs, 16 cores, 4 L3 groups, 2 nodes, 2 packages\n"
		"reserved 0,16\n"
		"\n"
		"node 0    0-15  ........ 0.0/15\n"
		"  L3 0    0-7   ........ 0.0/7\n"
		"  L3 1    8-15  ........ 0.0/8\n"
		"node 1    16-31 ........ 0.0/15\n"
		"  L3 0    16-23 ........ 0.0/7\n"
		"  L3 1    24-31 ........ 0.0/8\n"
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
	auto_free char *xml = plan_data_file("latency/two-packages.xml");
	auto_free char *csv = plan_data_file("latency/two-packages.csv");
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
	auto_free char *csv = plan_data_file("latency/two-packages.csv");
	auto_free char *scenario = plan_new_file(*state, "s", START "1,\"vcpus\":8}\n");
	auto_free char *mask = NULL;
	struct cli_result r;

	cli_run(*state, &(struct cli_how){.args = {"plan", "--latency", csv, scenario}},
		&r);
	assert_string_equal(strbuf_text(&r.err), "");
	assert_int_equal(r.status, CMD_OK);
	mask = plan_last_mask(strbuf_text(&r.out), "1");
	assert_string_equal(mask, "0-7"); /* a measured cluster */
	cli_result_fini(&r);
	plan_unlink_file(take_ptr(&scenario));
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
		auto_free char *xml = plan_data_file("latency/two-packages.xml");
		char *scenario = plan_new_file(w, "s", START "100,\"vcpus\":1}\n");
		char *config = plan_new_file(
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
		mask = plan_last_mask(strbuf_text(&r.out), "100");
		if (strcmp(mask, cases[i].mask) != 0)
			fail_msg("case %zu: %s", i, mask);
		cli_result_fini(&r);
		plan_unlink_file(config);
		plan_unlink_file(scenario);
	}
}

static void
scenario_is_stronger_than_settings(void **state)
{
	char *config = plan_new_file(*state, "c", "[vm 100]\nmode = off\n");
	char *scenario =
		plan_new_file(*state, "s", START "100,\"vcpus\":1,\"mode\":\"pin\"}\n");
	auto_free char *mask = NULL;
	struct cli_result r;

	plan_run(*state, scenario, "--config", config, &r);
	mask = plan_last_mask(strbuf_text(&r.out), "100");
	assert_null(strpbrk(mask, ",-")); /* one CPU: pinned */
	cli_result_fini(&r);
	plan_unlink_file(config);
	plan_unlink_file(scenario);
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
		{"--set", "weights.smt=1e3", CMD_FAILED,
			"qmpin: --set weights: smt: \"1e3\" is not a factor"},
		{"--set", "mode", CMD_USAGE, "qmpin: --set 'mode' is no KEY=VALUE"},
		{"--set", "=1", CMD_USAGE, "qmpin: --set '=1' is no KEY=VALUE"},
		{"--config", "[qmpin]\n\nmode = fast\n", CMD_FAILED,
			"c:3: mode: \"fast\" is not one of"},
		{"--config", "[qmpin]\ncolour = red\n", CMD_OK,
			"c:2: unknown key \"colour\" in [qmpin]"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		bool file = strcmp(cases[i].option, "--config") == 0;
		char *scenario = plan_new_file(*state, "s", START "1,\"vcpus\":1}\n");
		char *config = plan_new_file(*state, "c", cases[i].value);
		struct cli_result r;

		plan_run(*state, scenario, cases[i].option,
			file ? config : cases[i].value, &r);
		if (r.status != cases[i].status ||
			strstr(strbuf_text(&r.err), cases[i].err) == NULL)
			fail_msg("case %zu: %d %s", i, r.status, strbuf_text(&r.err));
		assert_int_equal(plan_count_lines(strbuf_text(&r.err)), 1);
		cli_result_fini(&r);
		plan_unlink_file(config);
		plan_unlink_file(scenario);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_line_gives_a_line),
		cmocka_unit_test(file_gets_the_same_lines),
		cmocka_unit_test(dash_is_standard_output),
		cmocka_unit_test(terminal_shows_a_picture_and_a_table),
		cmocka_unit_test(terminal_has_colours_and_pipes_have_none),
		cmocka_unit_test(json_on_a_terminal_is_lines_too),
		cmocka_unit_test(reasons_are_text),
		cmocka_unit_test(rules_of_the_host_are_said_once),
		cmocka_unit_test(without_such_rules_there_is_no_heading),
		cmocka_unit_test(topology_alone_is_shown),
		cmocka_unit_test(topology_alone_is_json_where_asked_for),
		cmocka_unit_test(latencies_alone_are_a_host),
		cmocka_unit_test(settings_come_from_options_and_files),
		cmocka_unit_test(scenario_is_stronger_than_settings),
		cmocka_unit_test(wrong_settings_are_told_with_their_place),
	};

	return cmocka_run_group_tests(tests, ctl_world_setup, ctl_world_teardown);
}
