// SPDX-License-Identifier: MIT
/* qmpin plan: what it says about events, lines, files and arguments that cannot be. */
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
#include <unistd.h>

#include "base/xalloc.h"
#include "cli/cmd.h"
#include "plan_run.h"

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
		char *scenario = plan_new_file(*state, "s", text);
		struct cli_result r;

		plan_run(*state, scenario, NULL, NULL, &r);
		if (r.status != CMD_PARTLY ||
			strstr(strbuf_text(&r.err), cases[i].err) == NULL)
			fail_msg("case %zu: %d %s", i, r.status, strbuf_text(&r.err));
		assert_int_equal(plan_count_lines(strbuf_text(&r.err)), 1);
		assert_int_equal(plan_count_lines(strbuf_text(&r.out)), 3);
		free(plan_last_mask(strbuf_text(&r.out), "2"));
		cli_result_fini(&r);
		plan_unlink_file(scenario);
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
		char *scenario = plan_new_file(w, "s", text);
		struct cli_result r;

		plan_run(w, scenario, "-o", path, &r);
		if (r.status != CMD_FAILED ||
			strstr(strbuf_text(&r.err), cases[i].err) == NULL)
			fail_msg("case %zu: %d %s", i, r.status, strbuf_text(&r.err));
		assert_int_equal(plan_count_lines(strbuf_text(&r.err)), 1);
		assert_int_equal(access(path, F_OK), -1);
		cli_result_fini(&r);
		plan_unlink_file(scenario);
	}
}

static void
vcpus_have_an_end(void **state)
{
	struct strbuf b = {0};
	struct cli_result r;
	char *scenario;

	for (unsigned int i = 1; i <= 17; i++)
		strbuf_addf(&b, START "%u,\"vcpus\":4096,\"mode\":\"off\"}\n", i);
	scenario = plan_new_file(*state, "s", b.s);
	plan_run(*state, scenario, "-o", "/dev/null", &r);
	assert_int_equal(r.status, CMD_PARTLY);
	assert_non_null(strstr(strbuf_text(&r.err),
		"s:17: vm 17: its 4096 vCPUs would make more than 65536 in all\n"));
	cli_result_fini(&r);
	strbuf_fini(&b);
	plan_unlink_file(scenario);
}

static void
unknown_keys_are_told_once(void **state)
{
	char *scenario = plan_new_file(*state, "s",
		START "1,\"vcpus\":1,\"os\":\"l26\"}\n" START
		      "2,\"vcpus\":1,\"os\":\"l26\"}\n");
	struct cli_result r;

	plan_run(*state, scenario, NULL, NULL, &r);
	assert_int_equal(r.status, CMD_OK);
	assert_non_null(
		strstr(strbuf_text(&r.err), "s:1: unknown key \"os\" is ignored\n"));
	assert_int_equal(plan_count_lines(strbuf_text(&r.err)), 1);
	cli_result_fini(&r);
	plan_unlink_file(scenario);
}

/* They are no mistake on another host: what is there counts. */
static void
cpus_that_are_not_there_are_told(void **state)
{
	static const struct {
		const char *affinity;
		const char *set;
		const char *err; /* all of it; NULL: nothing */
	} cases[] = {
		{"0-31", "reserved_cpus=0-31", NULL},
		{"8-40", "reserved_cpus=0",
			"s:1: vm 1: \"affinity\" has CPUs 32-40, which this host has not\n"},
		{"32", "reserved_cpus=0",
			"s:1: vm 1: \"affinity\" has CPU 32, which this host has not\n"},
		{"0-7", "reserved_cpus=1,99",
			"qmpin: reserved_cpus has CPU 99, which this host has not\n"},
		{"0-7", "isolated_cpus=30-33",
			"qmpin: isolated_cpus has CPUs 32-33, which this host has not\n"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		auto_free char *text =
			xasprintf(START "1,\"vcpus\":1,\"affinity\":\"%s\"}\n",
				cases[i].affinity);
		char *scenario = plan_new_file(*state, "s", text);
		struct cli_result r;

		plan_run(*state, scenario, "--set", cases[i].set, &r);
		assert_int_equal(r.status, CMD_OK);
		if (cases[i].err == NULL
				? r.err.len > 0
				: strstr(strbuf_text(&r.err), cases[i].err) == NULL)
			fail_msg("case %zu: %s", i, strbuf_text(&r.err));
		cli_result_fini(&r);
		plan_unlink_file(scenario);
	}
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
	scenario = plan_new_file(*state, "s", b.s);
	plan_run(*state, scenario, NULL, NULL, &r);
	assert_int_equal(r.status, CMD_FAILED);
	assert_non_null(strstr(strbuf_text(&r.err), "s:2: line is longer than 1 MiB"));
	cli_result_fini(&r);
	strbuf_fini(&b);
	plan_unlink_file(scenario);
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
		assert_int_equal(plan_count_lines(strbuf_text(&r.err)), 1);
		cli_result_fini(&r);
	}
}

static void
files_that_are_not_there_are_told(void **state)
{
	struct cli_result r;

	plan_run(*state, "/nonexistent", NULL, NULL, &r);
	assert_int_equal(r.status, CMD_FAILED);
	assert_string_equal(strbuf_text(&r.err),
		"qmpin: /nonexistent: No such file or directory\n");
	cli_result_fini(&r);
	plan_run(*state, "/", NULL, NULL, &r);
	assert_int_equal(r.status, CMD_FAILED);
	assert_string_equal(strbuf_text(&r.err), "qmpin: /: Is a directory\n");
	cli_result_fini(&r);
	plan_run(*state, "/dev/null", "-o", "/nonexistent/out", &r);
	assert_int_equal(r.status, CMD_FAILED);
	assert_non_null(strstr(strbuf_text(&r.err), "cannot write /nonexistent/out"));
	cli_result_fini(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(events_that_cannot_be_are_left_out),
		cmocka_unit_test(lines_that_are_no_events_end_it),
		cmocka_unit_test(vcpus_have_an_end),
		cmocka_unit_test(unknown_keys_are_told_once),
		cmocka_unit_test(cpus_that_are_not_there_are_told),
		cmocka_unit_test(long_lines_are_told_with_their_number),
		cmocka_unit_test(wrong_arguments_are_usage_errors),
		cmocka_unit_test(files_that_are_not_there_are_told),
	};

	return cmocka_run_group_tests(tests, ctl_world_setup, ctl_world_teardown);
}
